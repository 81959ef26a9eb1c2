//! Sends mail: into files, or by SMTP.
//!
//! Each message is named by the job that sends it. As a file, a repeated attempt writes the same file
//! again; by SMTP, it carries the same `Message-ID`, so mailboxes can tell a repeat. That is as near to
//! *exactly once* as mail comes.

use std::path::{Path, PathBuf};

use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use portfire::{JobError, JobId};

use crate::files::write_atomically;

/// Sends mail.
#[derive(Debug)]
pub struct Mailer {
    from: Mailbox,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Files(PathBuf),
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The message cannot be written.
    #[error("the message cannot be made")]
    Message(#[from] lettre::error::Error),
    /// The SMTP server refused it, or could not be reached.
    #[error("the mail server did not take the message")]
    Smtp(#[from] smtp::Error),
    /// The file could not be written.
    #[error("the message cannot be written to its file")]
    File(#[from] std::io::Error),
}

impl MailError {
    /// The same as a job's failure: what no retry can heal is not retried.
    pub fn into_job_error(self) -> JobError {
        let is_hopeless = match &self {
            Self::Message(_) => true,
            Self::Smtp(error) => error.is_permanent(),
            Self::File(_) => false,
        };
        let error = JobError::new(self);
        if is_hopeless { error.no_retry() } else { error }
    }
}

impl Mailer {
    /// Writes each message to a file in this directory, which must exist.
    pub const fn to_files(directory: PathBuf, from: Mailbox) -> Self {
        Self { from, way: Way::Files(directory) }
    }

    /// Hands each message to the server that the URL names: `smtp://`, `smtp://…?tls=required`,
    /// `smtps://`.
    ///
    /// # Errors
    /// If the URL is not understood.
    pub fn to_smtp(url: &str, from: Mailbox) -> Result<Self, smtp::Error> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?.build();
        Ok(Self { from, way: Way::Smtp(transport) })
    }

    /// Sends a message for this job.
    ///
    /// # Errors
    /// If it cannot be made or is not taken.
    ///
    /// # Cancel safety
    /// If dropped, the message may or may not have been sent; a file is there whole or not at all.
    pub async fn send(&self, job: JobId, to: Mailbox, subject: &str, body: String) -> Result<(), MailError> {
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .message_id(Some(format!("<{job}@portfire.invalid>")))
            .date_now()
            .header(ContentType::TEXT_PLAIN)
            .body(body)?;
        match &self.way {
            Way::Files(directory) => write(directory, job, &message).await?,
            Way::Smtp(server) => drop(server.send(message).await?),
        }
        Ok(())
    }
}

async fn write(directory: &Path, job: JobId, message: &Message) -> std::io::Result<()> {
    write_atomically(&directory.join(format!("{job}.eml")), &message.formatted()).await
}
