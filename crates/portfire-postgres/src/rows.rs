//! Rows to data and back, and nothing else.

use portfire_core::storage::{Claimed, ParentResult, ServerInfo};
use portfire_core::{Error, Facts, JobId, Json, Lease, Policy, Result, ServerId, Slot, Timestamp, Token};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// A value to be bound: one, or a list of which each item belongs to one job of a set.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    Int(Option<i64>),
    Bool(bool),
    Text(Option<&'a str>),
    Id(Uuid),
    Ints(Vec<Option<i64>>),
    Bools(Vec<Option<bool>>),
    Texts(Vec<Option<&'a str>>),
    Ids(Vec<Option<Uuid>>),
}

impl<'a> Value<'a> {
    pub(crate) fn job(id: JobId) -> Self {
        Self::Id(job_uuid(id))
    }

    pub(crate) fn server(id: ServerId) -> Self {
        Self::Id(Uuid::from_bytes(*id.as_bytes()))
    }

    pub(crate) fn servers(ids: impl IntoIterator<Item = ServerId>) -> Self {
        Self::Ids(ids.into_iter().map(|id| Some(Uuid::from_bytes(*id.as_bytes()))).collect())
    }

    pub(crate) fn text(text: &'a str) -> Self {
        Self::Text(Some(text))
    }

    pub(crate) fn jobs(ids: impl IntoIterator<Item = JobId>) -> Self {
        Self::Ids(ids.into_iter().map(job_uuid).map(Some).collect())
    }

    pub(crate) fn tokens(tokens: impl IntoIterator<Item = Token>) -> Self {
        Self::Ids(tokens.into_iter().map(token_uuid).map(Some).collect())
    }

    pub(crate) fn texts(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Texts(texts.into_iter().map(Some).collect())
    }

    /// The type by which the server is told to read it.
    pub(crate) const fn of_type(&self) -> Type {
        match self {
            Self::Int(_) => Type::INT8,
            Self::Bool(_) => Type::BOOL,
            Self::Text(_) => Type::TEXT,
            Self::Id(_) => Type::UUID,
            Self::Ints(_) => Type::INT8_ARRAY,
            Self::Bools(_) => Type::BOOL_ARRAY,
            Self::Texts(_) => Type::TEXT_ARRAY,
            Self::Ids(_) => Type::UUID_ARRAY,
        }
    }

    /// The value as the driver takes it.
    pub(crate) fn as_sql(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Int(value) => value,
            Self::Bool(value) => value,
            Self::Text(value) => value,
            Self::Id(value) => value,
            Self::Ints(value) => value,
            Self::Bools(value) => value,
            Self::Texts(value) => value,
            Self::Ids(value) => value,
        }
    }
}

pub(crate) const fn job_uuid(id: JobId) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

pub(crate) const fn token_uuid(token: Token) -> Uuid {
    Uuid::from_bytes(*token.as_bytes())
}

/// A duration in microseconds that an instant of our times can be moved by without overflowing.
pub(crate) fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX).min(i64::MAX / 2)
}

/// A value that was read. Its text is its own, or that of the row that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell<T = Box<str>> {
    Null,
    Int(i64),
    Bool(bool),
    Text(T),
    Id(Uuid),
}

fn unexpected(what: &str) -> Error {
    Error::broken(format!("a row of the database has something else where {what} was expected"))
}

/// A row that came.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    /// Through our own driver. It is read where it is: a list of owned cells for each cost a tenth of the time that a
    /// server's process takes for a job.
    Sent(tokio_postgres::Row),
    /// Through the application's, which keeps it.
    #[cfg(any(feature = "sqlx", feature = "diesel"))]
    Read(Vec<Cell>),
}

impl Row {
    pub(crate) fn is_null(&self, column: usize) -> bool {
        self.field(column).is_ok_and(|field| field == Cell::Null)
    }

    pub(crate) fn int(&self, column: usize) -> Result<i64> {
        self.opt_int(column)?.ok_or_else(|| unexpected("a number"))
    }

    pub(crate) fn opt_int(&self, column: usize) -> Result<Option<i64>> {
        match self.field(column)? {
            Cell::Int(number) => Ok(Some(number)),
            Cell::Null => Ok(None),
            _ => Err(unexpected("a number")),
        }
    }

    pub(crate) fn is(&self, column: usize) -> Result<bool> {
        self.opt_bool(column)?.ok_or_else(|| unexpected("yes or no"))
    }

    pub(crate) fn opt_bool(&self, column: usize) -> Result<Option<bool>> {
        match self.field(column)? {
            Cell::Bool(value) => Ok(Some(value)),
            Cell::Null => Ok(None),
            _ => Err(unexpected("yes or no")),
        }
    }

    pub(crate) fn text(&self, column: usize) -> Result<&str> {
        self.opt_text(column)?.ok_or_else(|| unexpected("text"))
    }

    pub(crate) fn opt_text(&self, column: usize) -> Result<Option<&str>> {
        match self.field(column)? {
            Cell::Text(text) => Ok(Some(text)),
            Cell::Null => Ok(None),
            _ => Err(unexpected("text")),
        }
    }

    fn bytes(&self, column: usize) -> Result<[u8; 16]> {
        match self.field(column)? {
            Cell::Id(id) => Ok(*id.as_bytes()),
            _ => Err(unexpected("an id")),
        }
    }

    pub(crate) fn id(&self, column: usize) -> Result<JobId> {
        self.bytes(column).map(JobId::from_bytes)
    }

    pub(crate) fn opt_id(&self, column: usize) -> Result<Option<JobId>> {
        if self.is_null(column) { Ok(None) } else { self.id(column).map(Some) }
    }

    pub(crate) fn token(&self, column: usize) -> Result<Token> {
        self.bytes(column).map(Token::from_bytes)
    }

    pub(crate) fn server(&self, column: usize) -> Result<ServerId> {
        self.bytes(column).map(ServerId::from_bytes)
    }

    pub(crate) fn time(&self, column: usize) -> Result<Timestamp> {
        self.int(column).map(Timestamp::from_micros)
    }

    pub(crate) fn opt_time(&self, column: usize) -> Result<Option<Timestamp>> {
        Ok(self.opt_int(column)?.map(Timestamp::from_micros))
    }

    /// A small count that fits its type.
    pub(crate) fn small<T: TryFrom<i64>>(&self, column: usize) -> Result<T> {
        T::try_from(self.int(column)?).map_err(|_| unexpected("a smaller number"))
    }

    fn field(&self, column: usize) -> Result<Cell<&str>> {
        match self {
            Self::Sent(row) => sent(row, column),
            #[cfg(any(feature = "sqlx", feature = "diesel"))]
            Self::Read(cells) => cells.get(column).map(read).ok_or_else(|| unexpected("a column")),
        }
    }
}

#[cfg(any(feature = "sqlx", feature = "diesel"))]
fn read(cell: &Cell) -> Cell<&str> {
    match cell {
        Cell::Null => Cell::Null,
        Cell::Int(number) => Cell::Int(*number),
        Cell::Bool(value) => Cell::Bool(*value),
        Cell::Text(text) => Cell::Text(text),
        Cell::Id(id) => Cell::Id(*id),
    }
}

fn sent(row: &tokio_postgres::Row, column: usize) -> Result<Cell<&str>> {
    let failed = |e| unexpected("a readable column").caused_by(e);
    let of_type = row.columns().get(column).ok_or_else(|| unexpected("a column"))?.type_();
    let read = match *of_type {
        Type::INT2 => row.try_get::<_, Option<i16>>(column).map(|n| n.map(|n| Cell::Int(n.into()))),
        Type::INT4 => row.try_get::<_, Option<i32>>(column).map(|n| n.map(|n| Cell::Int(n.into()))),
        Type::INT8 => row.try_get::<_, Option<i64>>(column).map(|n| n.map(Cell::Int)),
        Type::BOOL => row.try_get::<_, Option<bool>>(column).map(|b| b.map(Cell::Bool)),
        Type::UUID => row.try_get::<_, Option<Uuid>>(column).map(|id| id.map(Cell::Id)),
        Type::VOID => return Ok(Cell::Null),
        _ => row.try_get::<_, Option<&str>>(column).map(|text| text.map(Cell::Text)),
    };
    Ok(read.map_err(failed)?.unwrap_or(Cell::Null))
}

/// A row of `claim` as a claimed job.
pub(crate) fn claimed(row: &Row, token: Token) -> Result<Claimed> {
    Ok(Claimed {
        facts: Facts {
            lease: Lease { job: row.id(2)?, token },
            kind: row.text(3)?.into(),
            attempt: row.small::<u16>(8)?.saturating_add(1),
            crashes: row.small(9)?,
            policy: Policy::from_json(row.opt_text(5)?),
        },
        queue: row.text(1)?.into(),
        args: Json::trusted(row.text(4)?),
        tags: tags(row.opt_text(6)?)?,
        created_at: row.time(7)?,
        parents: parents(row.opt_text(10)?)?,
        slot: slot(row, 11)?,
    })
}

/// The slot in two columns from `first` on.
pub(crate) fn slot(row: &Row, first: usize) -> Result<Option<Slot>> {
    let Some(schedule) = row.opt_text(first)? else { return Ok(None) };
    Ok(Some(Slot { schedule: schedule.into(), at: row.time(first + 1)? }))
}

/// Parents as `claim` lists them: their ids, states and results.
fn parents(listed: Option<&str>) -> Result<Vec<ParentResult>> {
    let Some(listed) = listed else { return Ok(Vec::new()) };
    let rows: Vec<(String, Option<String>, Option<String>)> = Json::trusted(listed).parse()?;
    rows.into_iter()
        .map(|(job, state, result)| {
            let state = state.map(|word| word.parse()).transpose()?;
            Ok(ParentResult { job: job.parse()?, state, result: result.map(Json::trusted) })
        })
        .collect()
}

/// Tags in their stored form; `None` for none.
pub(crate) fn tags_text(tags: &[Box<str>]) -> Option<String> {
    let list = || tags.iter().map(|tag| &**tag).collect::<serde_json::Value>().to_string();
    (!tags.is_empty()).then(list)
}

/// Tags from their stored form.
pub(crate) fn tags(stored: Option<&str>) -> Result<Vec<Box<str>>> {
    stored.map_or(Ok(Vec::new()), |text| Json::trusted(text).parse())
}

/// A server's description in its stored form.
pub(crate) fn info_text(info: &ServerInfo) -> String {
    serde_json::json!({
        "name": info.name, "host": info.host, "build": info.build, "pid": info.pid, "queues": info.queues,
        "slots": info.slots, "running": info.running,
    })
    .to_string()
}

/// A server's description from its stored form.
pub(crate) fn info(stored: &str) -> Result<ServerInfo> {
    let value: serde_json::Value = Json::trusted(stored).parse()?;
    let number = |key: &str| value[key].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    let queues = value["queues"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |key: &str| value[key].as_str().unwrap_or_default().into();
    Ok(ServerInfo {
        name: text("name"),
        host: text("host"),
        build: text("build"),
        pid: number("pid"),
        queues: queues.iter().filter_map(|queue| queue.as_str().map(Into::into)).collect(),
        slots: number("slots"),
        running: number("running"),
    })
}
