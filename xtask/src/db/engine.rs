//! What is known of each database server: names, places, packages. Data only.

use std::path::PathBuf;

use crate::unpack::{Distribution, Suite};

/// A database that tests can be run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    Mariadb,
    Mysql,
}

impl Engine {
    pub(crate) const ALL: [Self; 3] = [Self::Postgres, Self::Mariadb, Self::Mysql];

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.name() == name)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
        }
    }

    /// Where tests look for the address of a server.
    pub(crate) const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "PORTFIRE_TEST_POSTGRES_URL",
            Self::Mariadb => "PORTFIRE_TEST_MARIADB_URL",
            Self::Mysql => "PORTFIRE_TEST_MYSQL_URL",
        }
    }

    /// Where the measuring stick looks for the address of a server.
    pub(crate) const fn measured_variable(self) -> &'static str {
        match self {
            Self::Postgres => "PORTFIRE_BENCH_POSTGRES_URL",
            Self::Mariadb => "PORTFIRE_BENCH_MARIADB_URL",
            Self::Mysql => "PORTFIRE_BENCH_MYSQL_URL",
        }
    }

    /// The server's program.
    pub(crate) const fn server(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadbd",
            Self::Mysql => "mysqld",
        }
    }

    /// The signal that ends it at once and in order: PostgreSQL waits for its clients on TERM.
    pub(crate) const fn stop_signal(self) -> &'static str {
        match self {
            Self::Postgres => "INT",
            Self::Mariadb | Self::Mysql => "TERM",
        }
    }

    /// Folders that hold the server on common systems, best first. `*` is any version.
    pub(crate) const fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &[
                "/usr/lib/postgresql/*/bin",
                "/usr/pgsql-*/bin",
                "/usr/local/pgsql/bin",
                "/opt/homebrew/opt/postgresql*/bin",
            ],
            Self::Mariadb => &["/usr/sbin", "/usr/libexec", "/opt/homebrew/opt/mariadb/bin"],
            Self::Mysql => &["/usr/sbin", "/usr/local/mysql/bin", "/opt/homebrew/opt/mysql/bin"],
        }
    }

    /// The package that brings the server, and where it is found.
    pub(crate) const fn package(self, distribution: Distribution) -> (&'static str, Suite) {
        match (self, distribution) {
            (Self::Postgres, _) => ("postgresql", Suite::Host),
            (Self::Mariadb, _) => ("mariadb-server-core", Suite::Host),
            (Self::Mysql, Distribution::Debian) => ("mysql-server-core", Suite::Unstable),
            (Self::Mysql, Distribution::Ubuntu) => ("mysql-server-core-8.0", Suite::Host),
        }
    }

    /// What to do where none of our ways works.
    pub(crate) fn advice(self) -> String {
        let (name, variable) = (self.name(), self.variable());
        let server = self.server();
        format!(
            "no {name} server: put `{server}` on the PATH (Debian, Ubuntu: `apt install {}`; macOS: `brew install \
             {}`; Fedora: `dnf install {}`), or set {variable} to the URL of a server that tests may fill",
            self.package(Distribution::Ubuntu).0,
            if self == Self::Postgres { "postgresql" } else { name },
            if self == Self::Postgres { "postgresql-server".into() } else { format!("{name}-server") },
        )
    }

    /// Whether a package of the closure is of use: the server itself and libraries.
    pub(crate) fn needs(self, package: &str, suite: Suite) -> bool {
        let of_the_host =
            ["libc6", "libc-", "libperl", "libc6:"].iter().any(|name| package.starts_with(name));
        let server = match self {
            Self::Postgres => package.starts_with("postgresql-") && package.as_bytes()[11].is_ascii_digit(),
            Self::Mariadb => package == "mariadb-server-core",
            Self::Mysql => package.starts_with("mysql-server-core"),
        };
        server || package.starts_with("lib") && (suite == Suite::Unstable || !of_the_host)
    }
}

/// How to start the programs of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Programs {
    /// The folder of the server's program.
    pub(crate) folder: PathBuf,
    /// Folders of its libraries, if they are not the system's.
    pub(crate) libraries: Vec<PathBuf>,
    /// The loader to run it by, if the C library is not the system's either.
    pub(crate) loader: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::Engine;
    use crate::unpack::Suite;

    #[test]
    fn only_the_server_and_libraries_are_fetched() {
        let host = |package| Engine::Postgres.needs(package, Suite::Host);
        assert!(host("postgresql-15") && host("libicu72"));
        assert!(!host("postgresql-common") && !host("libc6") && !host("perl") && !host("libperl5.36"));
        assert!(Engine::Mysql.needs("libc6", Suite::Unstable));
        assert!(!Engine::Mysql.needs("perl", Suite::Unstable));
    }
}
