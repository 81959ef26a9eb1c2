//! Who is believed: a database behind a proxy that encrypts, with a certificate of our own making, so that both
//! engines are asked for one alike.
//!
//! The certificates are in `tls/`: the server's is for `localhost` and from the authority; the stranger is another
//! authority. They are nobody's secret, and hold for a hundred years:
//! `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portfire_core::storage::Inserted;
use portfire_core::{Error, Storage};
use portfire_mysql::mysql_async::Opts;
use portfire_mysql::{MysqlOptions, MysqlStorage};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::bed::{Database, Engine, job, on_both};

on_both! {
    only_a_server_that_proves_its_name_is_believed
}

/// The bit of the second byte of what both sides can do that says that they can encrypt.
const ENCRYPTS: u8 = 0x08;
/// How an answer begins by which a connection is ready for work.
const OK: u8 = 0x00;
/// The answer to a password that is known, behind which comes another.
const GOES_ON: [u8; 2] = [1, 3];

fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name).display().to_string()
}

async fn only_a_server_that_proves_its_name_is_believed(engine: Engine) {
    let database = Database::lent(engine).await;
    let port = start(&database).await;
    let open = async |host: &str, options: &str| {
        let options = MysqlOptions::new(&url(&database, host, port, options)).unwrap();
        // Who is not believed is not tried again, so no refusal waits for its deadline.
        MysqlStorage::open(options.deadline(Duration::from_secs(3_600))).await
    };
    let [authority, stranger] = ["authority.pem", "stranger.pem"].map(|name| {
        let file = file(name);
        format!("ssl-mode=VERIFY_IDENTITY&ssl-ca={file}")
    });
    let storage = open("localhost", &authority).await.unwrap();
    assert_eq!(storage.insert(vec![job()]).await.unwrap(), [Inserted::New]);
    // Not asked who it is, it may be anybody.
    open("127.0.0.1", "ssl-mode=REQUIRED").await.unwrap();
    let refused = |error: Error, why: &str| {
        assert!(error.is_broken() && error.to_string().contains(why), "{error}");
    };
    refused(open("127.0.0.1", &authority).await.unwrap_err(), "its certificate is for another host");
    refused(open("localhost", &stranger).await.unwrap_err(), "name the file of its authority with `ssl-ca`");
    let nothing = format!("ssl-mode=VERIFY_IDENTITY&ssl-ca={}", file("nothing.pem"));
    assert!(open("localhost", &nothing).await.unwrap_err().is_misuse());
}

/// The URL of the database through the proxy.
fn url(database: &Database, host: &str, port: u16, options: &str) -> String {
    let url = database.url();
    let opts = Opts::from_url(&url).unwrap();
    let place = format!("{}:{}/", opts.ip_or_hostname(), opts.tcp_port());
    let through = url.replace(&place, &format!("{host}:{port}/"));
    assert_ne!(through, url, "the URL of the database names its host and port");
    let separator = if through.contains('?') { '&' } else { '?' };
    format!("{through}{separator}{options}&listen=off")
}

/// Starts a proxy; answers its port.
async fn start(database: &Database) -> u16 {
    let opts = Opts::from_url(&database.url()).unwrap();
    let (host, port) = (opts.ip_or_hostname().to_owned(), opts.tcp_port());
    let acceptor = acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let database = TcpStream::connect((&*host, port)).await.unwrap();
            // It ends with an error where a client does not believe it, or goes away.
            tokio::spawn(serve(client, database, acceptor.clone()));
        }
    });
    own
}

fn acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(file("server.pem")).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()))
}

/// 1. The database's greeting is made to say that it can encrypt.
/// 2. The client asks for it, which the database does not hear; so until the connection is ready, it is one packet
///    behind.
/// 3. What follows goes through as it is.
async fn serve(mut client: TcpStream, mut database: TcpStream, acceptor: TlsAcceptor) -> std::io::Result<()> {
    let mut greeting = Packet::read(&mut database).await?;
    let version = greeting.payload.iter().position(|byte| *byte == 0).unwrap();
    // Behind the version: a number, eight bytes of a riddle, a zero, and what the server can do.
    greeting.payload[version + 15] |= ENCRYPTS;
    greeting.write(&mut client).await?;
    Packet::read(&mut client).await?;
    let mut client = acceptor.accept(client).await?;
    loop {
        let mut said = Packet::read(&mut client).await?;
        said.number -= 1;
        if said.number == 1 {
            said.payload[1] &= !ENCRYPTS;
        }
        said.write(&mut database).await?;
        if answer(&mut database, &mut client).await? {
            break;
        }
    }
    tokio::io::copy_bidirectional(&mut client, &mut database).await.map(drop)
}

/// Passes on what the database says to a client that has asked for encryption; answers whether it is satisfied.
async fn answer(database: &mut TcpStream, client: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<bool> {
    loop {
        let mut said = Packet::read(database).await?;
        said.number += 1;
        said.write(client).await?;
        if said.payload != GOES_ON {
            return Ok(said.payload.first() == Some(&OK));
        }
    }
}

/// A unit of the protocol.
struct Packet {
    number: u8,
    payload: Vec<u8>,
}

impl Packet {
    async fn read(from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Self> {
        let mut head = [0; 4];
        from.read_exact(&mut head).await?;
        let [a, b, c, number] = head;
        let mut payload = vec![0; u32::from_le_bytes([a, b, c, 0]) as usize];
        from.read_exact(&mut payload).await?;
        Ok(Self { number, payload })
    }

    async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
        let [a, b, c, _] = u32::try_from(self.payload.len()).unwrap().to_le_bytes();
        to.write_all(&[[a, b, c, self.number].as_slice(), &self.payload].concat()).await?;
        to.flush().await
    }
}
