//! Where files live, and how they appear: whole or not at all.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};

use portfire::{JobId, Jobs, Timestamp};
use tokio::fs;
use tokio::io::AsyncWriteExt;

/// The directories of the service, and the names of the files in them. No part of a name ever comes
/// from a client.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// Makes the directories that are missing.
    ///
    /// # Errors
    /// If one cannot be made.
    pub async fn open(root: &Path) -> io::Result<Self> {
        for name in ["uploads", "mail", "reports", "previews"] {
            fs::create_dir_all(root.join(name)).await?;
        }
        Ok(Self(root.to_owned()))
    }

    /// Where mail is written.
    pub fn mail(&self) -> PathBuf {
        self.0.join("mail")
    }

    /// The uploaded file of an import.
    pub fn upload(&self, import: JobId) -> PathBuf {
        self.0.join("uploads").join(format!("{import}.csv"))
    }

    /// The same while it arrives.
    pub fn arriving(&self, import: JobId) -> PathBuf {
        self.0.join("uploads").join(format!("{import}.part"))
    }

    /// A report, as `html` or `csv`.
    pub fn report(&self, id: i64, extension: &str) -> PathBuf {
        self.0.join("reports").join(format!("{id}.{extension}"))
    }

    /// The preview of an import.
    pub fn preview(&self, import: JobId) -> PathBuf {
        self.0.join("previews").join(format!("{import}.html"))
    }

    /// The sample.
    pub fn sample(&self) -> PathBuf {
        self.0.join("sample.csv")
    }

    /// Removes uploads that no job knows and no process holds: theirs was killed between storing the file and
    /// storing the job.
    ///
    /// # Errors
    /// What the file system or the storage reports.
    pub async fn sweep_uploads(&self, jobs: &Jobs) -> Result<(), SweepError> {
        let mut entries = fs::read_dir(self.0.join("uploads")).await?;
        while let Some(entry) = entries.next_entry().await? {
            let path = entry.path();
            let id =
                path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<JobId>().ok());
            let Some(id) = id else { continue };
            let is_partial = path.extension().is_some_and(|extension| extension == "part");
            if (is_partial || jobs.get(id).await?.is_none()) && !is_held(&path).await? {
                remove_if_there(&path).await?;
            }
        }
        Ok(())
    }
}

impl DataDir {
    /// Removes mail, reports and previews that were written before this; says how many.
    ///
    /// # Errors
    /// What the file system reports.
    pub async fn remove_older_than(&self, cutoff: Timestamp) -> io::Result<u64> {
        let mut removed = 0;
        for name in ["mail", "reports", "previews"] {
            let mut entries = fs::read_dir(self.0.join(name)).await?;
            while let Some(entry) = entries.next_entry().await? {
                let written = match entry.metadata().await {
                    // Somebody else removed it meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    metadata => metadata?.modified()?,
                };
                if Timestamp::from(written) < cutoff {
                    remove_if_there(&entry.path()).await?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

/// Why old uploads could not be removed.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The file system.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The storage.
    #[error(transparent)]
    Jobs(#[from] portfire::Error),
}

/// Makes a file that other processes can tell from one that was left behind: it is locked for as long as it is
/// open, and the system unlocks it when its process dies.
///
/// # Errors
/// What the file system reports.
pub async fn create_locked(path: &Path) -> io::Result<fs::File> {
    let file = fs::File::create(path).await?.into_std().await;
    file.try_lock()?;
    Ok(fs::File::from_std(file))
}

/// Whether a process has it open and locked.
async fn is_held(path: &Path) -> io::Result<bool> {
    let file = match fs::File::open(path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        opened => opened?.into_std().await,
    };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Writes a file beside its place and then moves it there, so that readers see all of it or none.
///
/// # Errors
/// What the file system reports.
pub async fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_added_extension("part");
    let mut file = fs::File::create(&beside).await?;
    file.write_all(content).await?;
    file.sync_all().await?;
    drop(file);
    fs::rename(&beside, path).await
}

/// Removes a file; none is as good.
///
/// # Errors
/// What the file system reports.
pub async fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
