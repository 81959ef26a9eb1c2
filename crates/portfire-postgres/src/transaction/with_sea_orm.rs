//! The transactions of sea-orm 2, whose rows are those of sqlx.
//!
//! Its lists cannot have a null among their items, so lists and ids travel as text and are read by a cast.

use std::fmt::Write as _;

use portfire_core::storage::{Inserted, Settled};
use portfire_core::{Error, NewJob, Result, Settlement};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, RuntimeErr, Statement};

use super::with_sqlx::{kind_of, read};
use super::{Tables, enter};
use crate::insert::Executor;
use crate::rows::{Row, Value};
use crate::settle::settle_alone;
use crate::statements::{Op, Statements};

/// Stores jobs as part of this transaction of sea-orm. They exist if and only if it commits.
///
/// # Errors
/// As [`insert_in`](crate::insert_in).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn insert_in_sea_orm<C: ConnectionTrait>(
    connection: &C,
    tables: &Tables,
    jobs: &[NewJob],
) -> Result<Vec<Inserted>> {
    enter(&mut SeaOrm { connection, statements: &tables.statements }, tables, jobs).await
}

/// Settles a job as part of this transaction of sea-orm.
///
/// # Errors
/// As [`settle_in`](crate::settle_in).
///
/// # Cancel safety
/// If dropped, roll the transaction back.
pub async fn settle_in_sea_orm<C: ConnectionTrait>(
    connection: &C,
    tables: &Tables,
    settlement: &Settlement,
) -> Result<Settled> {
    settle_alone(&mut SeaOrm { connection, statements: &tables.statements }, settlement).await
}

struct SeaOrm<'c, C> {
    connection: &'c C,
    statements: &'c Statements,
}

impl<C: ConnectionTrait> Executor for SeaOrm<'_, C> {
    async fn rows(&mut self, op: Op, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let sql = with_casts(self.statements.text(op), values);
        let statement =
            Statement::from_sql_and_values(DbBackend::Postgres, sql, values.iter().map(as_their_value));
        let rows = self.connection.query_all_raw(statement).await.map_err(|e| failed(op, e))?;
        let foreign = || Error::misuse("the transaction of sea-orm is not one on PostgreSQL");
        rows.iter().map(|row| read(row.try_as_pg_row().ok_or_else(foreign)?)).collect()
    }
}

/// The statement with a cast behind each value that travels as text.
fn with_casts(sql: &str, values: &[Value<'_>]) -> String {
    let (mut cast, mut rest) = (String::with_capacity(sql.len() * 2), sql);
    while let Some((before, after)) = rest.split_once('$') {
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(digits);
        let value = number.parse::<usize>().ok().and_then(|number| values.get(number.checked_sub(1)?));
        cast.extend([before, "$", number, value.map_or("", cast_of)]);
        rest = after;
    }
    cast + rest
}

const fn cast_of(value: &Value<'_>) -> &'static str {
    match value {
        Value::Int(_) | Value::Bool(_) | Value::Text(_) => "",
        Value::Id(_) => "::text::uuid",
        Value::Ints(_) => "::text::bigint[]",
        Value::Bools(_) => "::text::boolean[]",
        Value::Texts(_) => "::text::text[]",
        Value::Ids(_) => "::text::uuid[]",
    }
}

fn as_their_value(value: &Value<'_>) -> sea_orm::Value {
    match value {
        Value::Int(number) => (*number).into(),
        Value::Bool(yes) => (*yes).into(),
        Value::Text(text) => text.map(str::to_owned).into(),
        Value::Id(id) => id.to_string().into(),
        Value::Ints(numbers) => list(numbers).into(),
        Value::Bools(all) => list(all).into(),
        Value::Texts(texts) => list(texts).into(),
        Value::Ids(ids) => list(ids).into(),
    }
}

/// A list as PostgreSQL writes it.
fn list<T: ToString>(items: &[Option<T>]) -> String {
    let mut list = String::from("{");
    for (index, item) in items.iter().enumerate() {
        list.push_str(if index == 0 { "" } else { "," });
        match item {
            Some(item) => {
                let item = item.to_string().replace('\\', "\\\\").replace('"', "\\\"");
                let _ = write!(list, "\"{item}\"");
            }
            None => list.push_str("NULL"),
        }
    }
    list + "}"
}

fn failed(op: Op, error: DbErr) -> Error {
    let message = format!("PostgreSQL could not run `{op:?}` in the application's transaction");
    let kind = match &error {
        DbErr::Conn(RuntimeErr::SqlxError(e))
        | DbErr::Exec(RuntimeErr::SqlxError(e))
        | DbErr::Query(RuntimeErr::SqlxError(e)) => kind_of(message, e),
        _ => Error::broken(message),
    };
    kind.caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::{Value, list, with_casts};

    #[test]
    fn a_list_is_written_so_that_it_is_read_as_it_was() {
        assert_eq!(list::<i64>(&[]), "{}");
        assert_eq!(list(&[Some(1), None]), r#"{"1",NULL}"#);
        assert_eq!(list(&[Some(r#"a"b\,{NULL"#), Some("")]), r#"{"a\"b\\,{NULL",""}"#);
    }

    #[test]
    fn only_what_travels_as_text_is_cast() {
        let values = [Value::Int(None), Value::Ints(Vec::new()), Value::Text(None)];
        assert_eq!(
            with_casts("f($1, $2, $3, $2)", &values),
            "f($1, $2::text::bigint[], $3, $2::text::bigint[])"
        );
    }
}
