//! How the programs of each server are called: to make a data folder, and to serve it.
//!
//! A server may not run as root: if we do, it runs as nobody, who owns the folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::engine::{Engine, Programs};
use crate::unpack::run;

/// The uid and gid of nobody on Linux systems.
const NOBODY: &str = "65534";
/// What MySQL and MariaDB run when they start: the database and the user of the tests.
const START_SQL: &str = "CREATE DATABASE IF NOT EXISTS portfire;
CREATE USER IF NOT EXISTS 'root'@'127.0.0.1' IDENTIFIED BY '';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
";
/// The scripts that make MariaDB's own tables, in their order.
const SYSTEM_TABLES: [&str; 3] = ["system_tables", "performance_tables", "system_tables_data"];

/// What is needed to call a server's programs.
pub(crate) struct Server<'a> {
    pub(crate) engine: Engine,
    pub(crate) programs: &'a Programs,
    /// Where all that it writes goes.
    pub(crate) folder: &'a Path,
    /// Whether it is interrupted when this command ends, however that comes.
    pub(crate) dies_with_us: bool,
    /// Whether we are root.
    pub(crate) root: bool,
}

impl Server<'_> {
    /// Makes the data folder.
    pub(crate) fn initialize(&self) -> Result<(), String> {
        let data = self.data();
        if self.engine != Engine::Postgres {
            fs::write(self.folder.join("start.sql"), START_SQL).map_err(|e| e.to_string())?;
        }
        if self.engine == Engine::Mariadb {
            self.write_bootstrap()?;
        }
        if self.root {
            run(Command::new("chown").args(["-R", &format!("{NOBODY}:{NOBODY}")]).arg(self.folder))?;
        }
        match self.engine {
            Engine::Postgres => {
                let how = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
                run(self.program("initdb", false).args(how).arg("-D").arg(data)).map(drop)
            }
            Engine::Mysql => run(self.mysql(false).arg("--initialize-insecure")).map(drop),
            Engine::Mariadb => {
                let script = fs::File::open(self.folder.join("bootstrap.sql")).map_err(|e| e.to_string())?;
                run(self.mysql(false).arg("--bootstrap").stdin(script)).map(drop)
            }
        }
    }

    /// The command that serves the data folder until it is interrupted.
    pub(crate) fn command(&self, durable: bool, port: u16) -> Command {
        let mut command = match self.engine {
            Engine::Postgres => self.postgres(durable, port),
            Engine::Mariadb | Engine::Mysql => self.serve_mysql(durable, port),
        };
        command.stdin(Stdio::null());
        command
    }

    fn postgres(&self, durable: bool, port: u16) -> Command {
        let mut command = self.program(self.engine.server(), self.dies_with_us);
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder).arg("-p").arg(port.to_string());
        let durable = if durable { "on" } else { "off" };
        if self.library("pg_stat_statements.so") {
            // The measuring stick reads how many statements there were.
            command.args(["-c", "shared_preload_libraries=pg_stat_statements"]);
        }
        for setting in [
            "listen_addresses=127.0.0.1",
            "max_connections=300",
            &format!("fsync={durable}"),
            &format!("synchronous_commit={durable}"),
        ] {
            command.args(["-c", setting]);
        }
        command
    }

    fn serve_mysql(&self, durable: bool, port: u16) -> Command {
        let mut command = self.mysql(self.dies_with_us);
        command.args(["--bind-address=127.0.0.1", "--max-connections=300"]);
        command.arg(format!("--port={port}"));
        let flush = i32::from(durable);
        command.arg(format!("--innodb-flush-log-at-trx-commit={flush}"));
        for (option, file) in [("socket", "socket"), ("init-file", "start.sql"), ("pid-file", "server.pid")] {
            command.arg(format!("--{option}={}", self.folder.join(file).display()));
        }
        if self.engine == Engine::Mysql {
            // Nobody replicates from it: without the binary log a commit is one flush instead of two.
            command.args(["--mysqlx=OFF", "--secure-file-priv=NULL", "--disable-log-bin"]);
        }
        command
    }

    /// MySQL's or MariaDB's server, told where its own files are.
    fn mysql(&self, dies_with_us: bool) -> Command {
        let mut command = self.program(self.engine.server(), dies_with_us);
        command.arg("--no-defaults").arg(format!("--datadir={}", self.data().display()));
        command.arg(format!("--basedir={}", self.base().display()));
        if let Some(messages) = self.shared("english").as_deref().and_then(Path::parent) {
            command.arg(format!("--lc-messages-dir={}", messages.display()));
        }
        command
    }

    /// MariaDB's own tables come from scripts that it reads on its standard input.
    fn write_bootstrap(&self) -> Result<(), String> {
        fs::create_dir_all(self.data()).map_err(|e| e.to_string())?;
        let mut script = "CREATE DATABASE mysql;\nUSE mysql;\n".to_owned();
        for name in SYSTEM_TABLES {
            let names = ["mysql", "mariadb"].map(|product| format!("{product}_{name}.sql"));
            let file = names.iter().find_map(|name| self.shared(name));
            let file =
                file.ok_or_else(|| format!("MariaDB's script `{}` is not beside its server", names[0]))?;
            script += &fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        }
        fs::write(self.folder.join("bootstrap.sql"), script).map_err(|e| e.to_string())
    }

    /// Whether PostgreSQL has this library beside it, which may come in a package of its own.
    fn library(&self, name: &str) -> bool {
        ["lib", "lib/postgresql"].iter().any(|folder| self.base().join(folder).join(name).exists())
    }

    /// The folder above that of the program, with its `share`.
    fn base(&self) -> &Path {
        self.programs.folder.parent().unwrap_or(&self.programs.folder)
    }

    /// A file that the server's package shares.
    fn shared(&self, name: &str) -> Option<PathBuf> {
        let places = ["share/mysql", "share/mariadb", "share"];
        places.iter().map(|place| self.base().join(place).join(name)).find(|path| path.exists())
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A command for one of its programs, as the user who may run it.
    fn program(&self, name: &str, dies_with_us: bool) -> Command {
        let libraries = std::env::join_paths(&self.programs.libraries).unwrap_or_default();
        let mut words: Vec<PathBuf> = Vec::new();
        if let Some(loader) = &self.programs.loader {
            words.extend([loader.clone(), "--library-path".into(), libraries.clone().into()]);
        }
        words.push(self.programs.folder.join(name));
        let mut command = wrapped(self.root, dies_with_us.then(|| self.engine.stop_signal()), words);
        if self.programs.loader.is_none() && !libraries.is_empty() {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command.current_dir(self.folder);
        command
    }
}

/// The words as a command that is given this signal when we end, where that is possible.
pub(crate) fn interrupted_with_us(signal: &str, words: Vec<PathBuf>) -> Command {
    wrapped(false, Some(signal), words)
}

/// The words as a command: as nobody if we are root, and given this signal when we end, where that is possible.
fn wrapped(root: bool, when_we_end: Option<&str>, words: Vec<PathBuf>) -> Command {
    let linux = cfg!(target_os = "linux");
    if !linux || !(root || when_we_end.is_some()) {
        let mut command = Command::new("env");
        command.args(words);
        return command;
    }
    let mut command = Command::new("setpriv");
    if root {
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
    }
    if let Some(signal) = when_we_end {
        command.args(["--pdeathsig", signal]);
    }
    command.arg("--").args(words);
    command
}
