//! Rows to data and back, and nothing else.

use portfire_core::storage::{Claimed, ParentResult, ServerInfo};
use portfire_core::{
    Error, Facts, JobId, Json, Lease, Policy, Result, ServerId, Slot, State, Timestamp, Token,
};
use rusqlite::types::{ToSqlOutput, ValueRef};

/// A value to be bound.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(crate) fn id(id: &'a JobId) -> Self {
        Self::Blob(id.as_bytes())
    }

    pub(crate) fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// A value that was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(Box<str>),
    /// All our blobs are ids.
    Id([u8; 16]),
}

impl Cell {
    pub(crate) fn of(value: ValueRef<'_>) -> Result<Self> {
        Ok(match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Int(number),
            ValueRef::Text(text) => {
                let text = std::str::from_utf8(text).map_err(|e| unexpected("UTF-8").caused_by(e))?;
                Self::Text(text.into())
            }
            ValueRef::Blob(bytes) => Self::id(bytes)?,
            ValueRef::Real(_) => return Err(unexpected("no fraction")),
        })
    }

    pub(crate) fn id(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Self::Id).map_err(|e| unexpected("16 bytes").caused_by(e))
    }
}

fn unexpected(what: &str) -> Error {
    Error::broken(format!("a row of the database has something else where {what} was expected"))
}

/// A row that was read.
#[derive(Clone, Debug)]
pub(crate) struct Row(pub(crate) Vec<Cell>);

impl Row {
    pub(crate) fn read(row: &rusqlite::Row<'_>) -> Result<Self> {
        let columns = row.as_ref().column_count();
        let cell = |column| Cell::of(row.get_ref(column).map_err(|e| unexpected("a column").caused_by(e))?);
        (0..columns).map(cell).collect::<Result<_>>().map(Self)
    }

    pub(crate) fn is_null(&self, column: usize) -> bool {
        self.0.get(column).is_none_or(|cell| *cell == Cell::Null)
    }

    pub(crate) fn int(&self, column: usize) -> Result<i64> {
        self.opt_int(column)?.ok_or_else(|| unexpected("a number"))
    }

    pub(crate) fn opt_int(&self, column: usize) -> Result<Option<i64>> {
        match self.0.get(column) {
            Some(Cell::Int(number)) => Ok(Some(*number)),
            Some(Cell::Null) => Ok(None),
            _ => Err(unexpected("a number")),
        }
    }

    pub(crate) fn text(&self, column: usize) -> Result<&str> {
        self.opt_text(column)?.ok_or_else(|| unexpected("text"))
    }

    pub(crate) fn opt_text(&self, column: usize) -> Result<Option<&str>> {
        match self.0.get(column) {
            Some(Cell::Text(text)) => Ok(Some(text)),
            Some(Cell::Null) => Ok(None),
            _ => Err(unexpected("text")),
        }
    }

    /// The text itself, once.
    pub(crate) fn take_text(&mut self, column: usize) -> Result<Box<str>> {
        match self.0.get_mut(column) {
            Some(Cell::Text(text)) => Ok(std::mem::take(text)),
            _ => Err(unexpected("text")),
        }
    }

    pub(crate) fn opt_bytes(&self, column: usize) -> Result<Option<[u8; 16]>> {
        match self.0.get(column) {
            Some(Cell::Id(bytes)) => Ok(Some(*bytes)),
            Some(Cell::Null) => Ok(None),
            _ => Err(unexpected("an id")),
        }
    }

    pub(crate) fn id(&self, column: usize) -> Result<JobId> {
        Ok(JobId::from_bytes(self.opt_bytes(column)?.ok_or_else(|| unexpected("an id"))?))
    }

    pub(crate) fn token(&self, column: usize) -> Result<Token> {
        Ok(Token::from_bytes(self.opt_bytes(column)?.ok_or_else(|| unexpected("a token"))?))
    }

    pub(crate) fn server(&self, column: usize) -> Result<ServerId> {
        Ok(ServerId::from_bytes(self.opt_bytes(column)?.ok_or_else(|| unexpected("a server"))?))
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
}

/// A job that a claim takes, and by which key it stood in its queue.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) priority: i64,
    pub(crate) run_at: i64,
    pub(crate) has_parents: bool,
    /// Without its parents.
    pub(crate) job: Claimed,
}

impl Taken {
    /// A row of `claim` or `claim_repeat`, read where it is: a claim reads one for every job.
    pub(crate) fn read(row: &rusqlite::Row<'_>, token: Token) -> Result<Self> {
        let failed = |e| unexpected("a job to be claimed").caused_by(e);
        let int = |column: usize| row.get::<_, i64>(column).map_err(failed);
        let text = |column: usize| row.get::<_, Box<str>>(column).map_err(failed);
        let small = |column: usize| row.get::<_, u16>(column).map_err(failed);
        let facts = Facts {
            lease: Lease { job: JobId::from_bytes(row.get(3).map_err(failed)?), token },
            attempt: small(9)?.saturating_add(1),
            kind: text(4)?,
            crashes: small(10)?,
            policy: Policy::from_json(opt_text(row, 6)?),
        };
        let job = Claimed {
            facts,
            queue: text(0)?,
            args: Json::trusted(text(5)?),
            tags: tags(opt_text(row, 7)?)?,
            created_at: Timestamp::from_micros(int(8)?),
            parents: Vec::new(),
            slot: match opt_text(row, 12)? {
                Some(schedule) => {
                    Some(Slot { schedule: schedule.into(), at: Timestamp::from_micros(int(13)?) })
                }
                None => None,
            },
        };
        Ok(Self { priority: int(1)?, run_at: int(2)?, has_parents: int(11)? == 1, job })
    }
}

/// A text that need not be there, where it is.
fn opt_text<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> Result<Option<&'r str>> {
    let failed = |e: rusqlite::Error| unexpected("text").caused_by(e);
    let value = row.get_ref(column).map_err(failed)?;
    value.as_str_or_null().map_err(|e| failed(e.into()))
}

/// A running attempt that is about to end, and whom its end concerns besides itself.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) server: [u8; 16],
    pub(crate) started_at: Timestamp,
    pub(crate) cancel_requested: bool,
    pub(crate) kind: Box<str>,
    pub(crate) queue: Box<str>,
    pub(crate) run_at: Timestamp,
    pub(crate) unique_name: Option<Box<str>>,
    pub(crate) has_children: bool,
}

impl Ending {
    /// A row of `ending`.
    pub(crate) fn of(mut row: Row) -> Result<Self> {
        Ok(Self {
            server: *row.server(0)?.as_bytes(),
            started_at: row.time(1)?,
            cancel_requested: row.int(2)? == 1,
            kind: row.take_text(3)?,
            queue: row.take_text(4)?,
            run_at: row.time(5)?,
            unique_name: row.opt_text(6)?.map(Into::into),
            has_children: row.int(7)? == 1,
        })
    }

    /// The same, read where it is: the writer reads one for every job.
    pub(crate) fn read(row: &rusqlite::Row<'_>) -> Result<Self> {
        let failed = |e| unexpected("a running attempt").caused_by(e);
        let int = |column: usize| row.get::<_, i64>(column).map_err(failed);
        Ok(Self {
            server: row.get(0).map_err(failed)?,
            started_at: Timestamp::from_micros(int(1)?),
            cancel_requested: int(2)? == 1,
            kind: row.get(3).map_err(failed)?,
            queue: row.get(4).map_err(failed)?,
            run_at: Timestamp::from_micros(int(5)?),
            unique_name: row.get(6).map_err(failed)?,
            has_children: int(7)? == 1,
        })
    }
}

/// How an attempt ended its job: a row of `finished`.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) lease: Lease,
    pub(crate) state: State,
    pub(crate) finished_at: Timestamp,
    pub(crate) started_at: Timestamp,
    pub(crate) server: [u8; 16],
    pub(crate) prune_at: Value<'static>,
    pub(crate) group: Option<String>,
}

impl Ended {
    /// As `finished_insert` takes it.
    pub(crate) fn values(&self) -> [Value<'_>; 8] {
        [
            Value::id(&self.lease.job),
            Value::Text(self.state.as_str()),
            Value::Int(self.finished_at.as_micros()),
            Value::Int(self.started_at.as_micros()),
            Value::Blob(self.lease.token.as_bytes()),
            Value::Blob(&self.server),
            self.prune_at,
            Value::text(self.group.as_deref()),
        ]
    }
}

/// A row of a walk along a list: a job, and whether it matches.
pub(crate) fn job_id(row: &rusqlite::Row<'_>) -> Result<(JobId, bool)> {
    let failed = |e| unexpected("a job in a list").caused_by(e);
    Ok((JobId::from_bytes(row.get(0).map_err(failed)?), row.get(1).map_err(failed)?))
}

/// The slot in two columns from `first` on.
pub(crate) fn slot(row: &Row, first: usize) -> Result<Option<Slot>> {
    let Some(schedule) = row.opt_text(first)? else { return Ok(None) };
    Ok(Some(Slot { schedule: schedule.into(), at: row.time(first + 1)? }))
}

/// A row of `parents_of`.
pub(crate) fn parent_result(row: &Row) -> Result<ParentResult> {
    Ok(ParentResult {
        job: row.id(0)?,
        state: row.opt_text(1)?.map(str::parse).transpose()?,
        result: row.opt_text(2)?.map(Json::trusted),
    })
}

/// Tags in their stored form; `None` for none.
pub(crate) fn tags_text(tags: &[Box<str>]) -> Option<String> {
    (!tags.is_empty()).then(|| json_list(tags))
}

/// Texts as a JSON list.
pub(crate) fn json_list(texts: &[impl AsRef<str>]) -> String {
    texts.iter().map(AsRef::as_ref).collect::<serde_json::Value>().to_string()
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
