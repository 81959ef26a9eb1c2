//! Users from a CSV file: framing, validation, and places to go on from. No database, no network.
//!
//! 1. [`RowReader::open`] goes to a [`Place`]: the beginning, or where an earlier attempt had come to.
//! 2. [`RowReader::next_batch`] reads rows; each is a user or a rejected line with the reason.
//! 3. [`Batch::end`] is the place after the batch, to be stored together with what the batch did.
//!
//! Invariants: memory is bounded whatever the file holds (a row is at most [`ROW_BYTES_MAX`] plus one
//! read); every line of the file is in exactly one batch, wherever reading was interrupted.
//!
//! It deliberately does not understand other encodings than UTF-8: a wrong guess would store wrong names.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use csv::ByteRecord;

/// Longest row in bytes. A longer one is a stray quote that swallows the rest of the file.
pub const ROW_BYTES_MAX: u64 = 64 << 10;
const NAME_CHARS_MAX: usize = 200;
const EMAIL_BYTES_MAX: usize = 254;
const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// A place between two rows of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Bytes before it.
    pub position: u64,
    /// The number of the line that begins here; the first is 1.
    pub line: u64,
}

impl Place {
    /// The beginning of a file.
    pub const START: Self = Self { position: 0, line: 1 };
}

/// A user as a row, or a client, gives it: checked.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct NewUser {
    /// The name to show.
    pub name: String,
    /// The e-mail address as written.
    pub email: String,
    /// The address in lower case: what makes two users the same.
    pub key: String,
}

/// Why a row, or a request, is no user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A field is missing.
    TooFewFields,
    /// There are more fields than two.
    TooManyFields,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// The name is empty.
    NoName,
    /// The name is too long or has control characters.
    BadName,
    /// The e-mail address is empty.
    NoEmail,
    /// The e-mail address cannot be one.
    BadEmail,
    /// The row is too long.
    TooLong,
}

impl Problem {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::TooFewFields,
        Self::TooManyFields,
        Self::NotUtf8,
        Self::NoName,
        Self::BadName,
        Self::NoEmail,
        Self::BadEmail,
        Self::TooLong,
    ];

    /// The word under which it is stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooFewFields => "too_few_fields",
            Self::TooManyFields => "too_many_fields",
            Self::NotUtf8 => "not_utf8",
            Self::NoName => "no_name",
            Self::BadName => "bad_name",
            Self::NoEmail => "no_email",
            Self::BadEmail => "bad_email",
            Self::TooLong => "too_long",
        }
    }

    /// The problem stored under this word.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|problem| problem.code() == code)
    }
}

/// A line that was not imported.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rejected {
    /// Its number in the file.
    pub line: u64,
    /// Why, as [`Problem::code`].
    pub problem: &'static str,
    /// Its beginning, made readable.
    pub text: String,
}

/// Some rows in the order of the file.
#[derive(Debug)]
pub struct Batch {
    /// The good ones.
    pub users: Vec<NewUser>,
    /// The bad ones.
    pub rejected: Vec<Rejected>,
    /// Where the next batch begins.
    pub end: Place,
    /// Whether the file ends here.
    pub is_last: bool,
}

/// Checks a name and an e-mail address.
///
/// # Errors
/// The first problem found.
pub fn check_user(name: &str, email: &str) -> Result<NewUser, Problem> {
    let (name, email) = (name.trim(), email.trim());
    if name.is_empty() {
        return Err(Problem::NoName);
    }
    if name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(Problem::BadName);
    }
    if email.is_empty() {
        return Err(Problem::NoEmail);
    }
    if !is_email(email) {
        return Err(Problem::BadEmail);
    }
    Ok(NewUser { name: name.into(), email: email.into(), key: email.to_lowercase() })
}

/// Whether mail could be sent there: the mail library's own rules, a dot in the domain, nothing exotic.
fn is_email(text: &str) -> bool {
    let plain = text.len() <= EMAIL_BYTES_MAX && !text.contains(['"', '\\', '<', '>', ' ']);
    let dotted = text.rsplit_once('@').is_some_and(|(_, domain)| domain.contains('.'));
    plain && dotted && !text.contains(char::is_control) && text.parse::<lettre::Address>().is_ok()
}

/// Reads a file row by row.
#[derive(Debug)]
pub struct RowReader {
    rows: csv::Reader<Bounded>,
    begin: Place,
    size: u64,
}

impl RowReader {
    /// Opens a file at a place that [`Batch::end`] gave, or at [`Place::START`].
    ///
    /// # Errors
    /// What the file system reports.
    pub fn open(path: &Path, at: Place) -> io::Result<Self> {
        Self::of(File::open(path)?, at)
    }

    /// The same for a file that is open already, and may be gone from its directory.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn of(mut file: File, at: Place) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let begin = if at.position == 0 { Place { position: bom_length(&mut file)?, line: 1 } } else { at };
        Ok(Self { rows: rows_from(file, begin)?, begin, size })
    }

    /// The length of the file in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Up to `rows_max` rows. Lines without content are passed over.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn next_batch(&mut self, rows_max: usize) -> io::Result<Batch> {
        let mut batch = Batch { users: vec![], rejected: vec![], end: self.place(), is_last: false };
        let mut record = ByteRecord::new();
        while batch.users.len() + batch.rejected.len() < rows_max {
            let before = self.place();
            match self.read(&mut record) {
                Ok(true) if self.is_cut_off(&record) => batch.rejected.push(self.pass_over_line(before)?),
                Ok(true) => self.take(&record, before, &mut batch),
                Ok(false) => {
                    batch.is_last = true;
                    break;
                }
                Err(error) if is_too_long(&error) => {
                    let rejected = self.pass_over_line(before)?;
                    batch.rejected.push(rejected);
                }
                Err(error) => return Err(error),
            }
        }
        batch.end = self.place();
        Ok(batch)
    }

    fn take(&self, record: &ByteRecord, before: Place, batch: &mut Batch) {
        let line = self.first_line_of(record);
        if is_blank(record) || (before.position == self.first_position() && is_header(record)) {
            return;
        }
        match parse(record) {
            Ok(user) => batch.users.push(user),
            Err(problem) => {
                batch.rejected.push(Rejected { line, problem: problem.code(), text: readable(record) });
            }
        }
    }

    fn read(&mut self, record: &mut ByteRecord) -> io::Result<bool> {
        self.rows.get_mut().refill();
        self.rows.read_byte_record(record).map_err(io::Error::from)
    }

    /// Where the next row begins.
    fn place(&self) -> Place {
        let read = self.rows.position();
        let position = (self.begin.position + read.byte()).min(self.size);
        Place { position, line: self.begin.line + read.line() - 1 }
    }

    /// Where the first row of a whole file begins: only a reader that began there can meet a header.
    fn first_position(&self) -> u64 {
        if self.begin.line == 1 { self.begin.position } else { u64::MAX }
    }

    /// A row ends with a line break (one is added at the end of the file), so its first line is known
    /// from the line after it.
    fn first_line_of(&self, record: &ByteRecord) -> u64 {
        let breaks = record.as_slice().split(|byte| *byte == b'\n').count() - 1;
        self.place().line.saturating_sub(1 + u64::try_from(breaks).unwrap_or(0))
    }

    /// Whether the file ended inside quotes: only then does a last row hold the line break added there.
    fn is_cut_off(&self, record: &ByteRecord) -> bool {
        self.begin.position + self.rows.position().byte() > self.size && record.as_slice().ends_with(b"\n")
    }

    /// Gives up the line at `from` and goes on with the one after it.
    fn pass_over_line(&mut self, from: Place) -> io::Result<Rejected> {
        let mut file = BufReader::new(self.rows.get_ref().file.0.try_clone()?);
        file.seek(SeekFrom::Start(from.position))?;
        let (mut place, mut start) = (from, Vec::new());
        while start.trim_ascii().is_empty() && place.position < self.size {
            start.clear();
            file.by_ref().take(120).read_until(b'\n', &mut start)?;
            let rest = if start.ends_with(b"\n") { 0 } else { file.skip_until(b'\n')? };
            let read = start.len() + rest;
            place =
                Place { position: place.position + u64::try_from(read).unwrap_or(0), line: place.line + 1 };
        }
        self.rows = rows_from(file.into_inner(), place)?;
        self.begin = place;
        let text = clip(&String::from_utf8_lossy(start.trim_ascii()));
        Ok(Rejected { line: place.line - 1, problem: Problem::TooLong.code(), text })
    }
}

/// The CSV parser on a file. Only `\n` ends a row, so that places are exact; the `\r` before it is
/// white space like any other and trimmed away.
fn rows_from(mut file: File, at: Place) -> io::Result<csv::Reader<Bounded>> {
    file.seek(SeekFrom::Start(at.position))?;
    let file = Tail(file, false);
    Ok(csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(Bounded { file, left: ROW_BYTES_MAX }))
}

fn bom_length(file: &mut File) -> io::Result<u64> {
    let mut start = Vec::with_capacity(BOM.len());
    file.by_ref().take(3).read_to_end(&mut start)?;
    Ok(if start == BOM { 3 } else { 0 })
}

/// A file with a line break after its end.
#[derive(Debug)]
struct Tail(File, bool);

impl Read for Tail {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        if read > 0 || self.1 || buffer.is_empty() {
            return Ok(read);
        }
        self.1 = true;
        buffer[0] = b'\n';
        Ok(1)
    }
}

/// Refuses to give more than a row's worth of bytes between two refills.
#[derive(Debug)]
struct Bounded {
    file: Tail,
    left: u64,
}

impl Bounded {
    const fn refill(&mut self) {
        self.left = ROW_BYTES_MAX;
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read(&mut buffer[..most])?;
        self.left -= u64::try_from(read).unwrap_or(0);
        Ok(read)
    }
}

fn is_too_long(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<csv::Error>());
    let kind = match inner.map(csv::Error::kind) {
        Some(csv::ErrorKind::Io(error)) => error.kind(),
        _ => error.kind(),
    };
    kind == io::ErrorKind::FileTooLarge
}

fn parse(record: &ByteRecord) -> Result<NewUser, Problem> {
    match record.len() {
        0 | 1 => return Err(Problem::TooFewFields),
        2 => {}
        _ => return Err(Problem::TooManyFields),
    }
    let text = |index: usize| std::str::from_utf8(&record[index]).map_err(|_| Problem::NotUtf8);
    check_user(text(0)?, text(1)?)
}

fn is_blank(record: &ByteRecord) -> bool {
    record.len() <= 1 && record.as_slice().trim_ascii().is_empty()
}

/// The first row is a header if nothing in it could be an address.
fn is_header(record: &ByteRecord) -> bool {
    !record.as_slice().contains(&b'@')
}

fn readable(record: &ByteRecord) -> String {
    let fields: Vec<_> = record.iter().map(|field| String::from_utf8_lossy(field)).collect();
    clip(fields.join(",").trim())
}

/// At most 120 characters, without control characters.
fn clip(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{FFFD}' } else { c };
    text.chars().take(120).map(clean).collect()
}

/// A cell that no spreadsheet will run as a formula.
pub fn harmless_cell(text: &str) -> std::borrow::Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8], rows: usize) -> (Vec<NewUser>, Vec<Rejected>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let (mut users, mut rejected, mut at) = (vec![], vec![], Place::START);
        // A new reader for each batch: as if every attempt were interrupted after one.
        loop {
            let batch = RowReader::open(file.path(), at).unwrap().next_batch(rows).unwrap();
            users.extend(batch.users);
            rejected.extend(batch.rejected);
            at = batch.end;
            if batch.is_last {
                return (users, rejected);
            }
        }
    }

    #[test]
    fn reads_the_same_wherever_it_was_interrupted() {
        let text = "\u{FEFF}display name,email\r\nAda,ada@x.org\r\n\r\n\"Lovelace, \"\"A\"\"\r\nB\",b@x.org\r\n\
                    \"Comma, Jr\",c@x.org\r\nnobody\r\n,d@x.org\r\nE,e@\r\nF,f@x.org";
        let whole = read(text.as_bytes(), 1_000);
        for rows in 1..8 {
            assert_eq!(read(text.as_bytes(), rows), whole, "batches of {rows}");
        }
        let names: Vec<_> = whole.0.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(names, ["Ada", "Comma, Jr", "F"]);
        let lines: Vec<_> = whole.1.iter().map(|row| (row.line, row.problem)).collect();
        assert_eq!(lines, [(4, "bad_name"), (7, "too_few_fields"), (8, "no_name"), (9, "bad_email")]);
    }

    #[test]
    fn names_the_line_of_wrong_bytes_and_goes_on() {
        let (users, rejected) = read(b"A,a@x.org\nB\xFF,b@x.org\nC,c@x.org\n", 2);
        assert_eq!((users.len(), rejected.len()), (2, 1));
        assert_eq!((rejected[0].line, rejected[0].problem), (2, "not_utf8"));
    }

    #[test]
    fn a_stray_quote_costs_one_line() {
        let mut text = b"A,a@x.org\n\n\"B,b@x.org\n".to_vec();
        for n in 0..20_000 {
            text.extend_from_slice(format!("N,n{n}@x.org\n").as_bytes());
        }
        let (users, rejected) = read(&text, 500);
        assert_eq!((users.len(), rejected.len()), (20_001, 1));
        assert_eq!((rejected[0].line, rejected[0].problem), (4 - 1, "too_long"));
    }

    #[test]
    fn a_huge_field_costs_one_line() {
        let mut text = b"A,a@x.org\n".to_vec();
        text.resize(3 << 20, b'x');
        text.extend_from_slice(b",b@x.org\nC,c@x.org\n");
        let (users, rejected) = read(&text, 500);
        assert_eq!((users.len(), rejected.len()), (2, 1));
        assert_eq!(rejected[0].line, 2);
    }

    #[test]
    fn nothing_is_no_user() {
        assert_eq!(read(b"", 5), (vec![], vec![]));
        assert_eq!(read(b"display name,email", 5), (vec![], vec![]));
    }

    #[test]
    fn addresses() {
        for good in ["a@x.org", "First.Last+tag@mail.example.com"] {
            assert!(check_user("A", good).is_ok(), "{good}");
        }
        for bad in ["a", "a@", "@x.org", "a@x", "a b@x.org", "a@x.org\u{0}", "a@@x.org", "\"a\"@x.org"] {
            assert!(check_user("A", bad).is_err(), "{bad}");
        }
        assert_eq!(check_user("A\u{0}", "a@x.org"), Err(Problem::BadName));
    }

    #[test]
    fn formulas_become_text() {
        assert_eq!(harmless_cell("=1+1"), "'=1+1");
        assert_eq!(harmless_cell("1+1"), "1+1");
    }
}
