//! `/api/users`: create one, list many, delete one.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::app::{App, Refusal};
use crate::csv_rows::check_user;
use crate::database::User;
use crate::i18n::{Language, Text};
use crate::jobs::send_welcome_email;

const PAGE_DEFAULT: u32 = 50;
const PAGE_MAX: u32 = 200;

/// A user to create.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateUser {
    display_name: String,
    email: String,
}

/// Which users to list.
#[derive(Debug, Deserialize)]
pub struct Range {
    limit: Option<u32>,
    after: Option<u32>,
}

/// A user as clients see it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    id: i64,
    display_name: String,
    email: String,
    created_at: String,
}

/// Users as clients see them.
#[derive(Debug, Serialize)]
pub struct UserList {
    total: i64,
    users: Vec<UserView>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        let created_at = user.created().to_string();
        Self { id: user.id, display_name: user.display_name, email: user.email, created_at }
    }
}

/// Creates a user and enqueues its welcome in one transaction: both are there, or neither.
///
/// # Errors
/// 400 for a body that cannot be read, 422 for one that is no user, 409 if the address is taken.
pub async fn create(
    State(app): State<Arc<App>>,
    language: Language,
    body: Result<Json<CreateUser>, JsonRejection>,
) -> Result<(StatusCode, Json<UserView>), Refusal> {
    let Json(asked) = body.map_err(|why| bad_body(&why))?;
    let user = check_user(&asked.display_name, &asked.email)
        .map_err(|problem| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, Text::BadUser(problem)))?;

    let mut tx = app.database.begin().await?;
    let Some(user) = tx.insert_user(&user).await? else {
        return Err(Refusal::new(StatusCode::CONFLICT, Text::EmailTaken));
    };
    tx.enqueue(send_welcome_email(user.id, language)).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// Marks a user as deleted. The nightly cleanup removes it 30 days later.
///
/// # Errors
/// 404 if there is no such user.
pub async fn delete(
    State(app): State<Arc<App>>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<StatusCode, Refusal> {
    let no_user = || Refusal::new(StatusCode::NOT_FOUND, Text::NoUser);
    let Path(id) = id.map_err(|_| no_user())?;
    if app.database.delete_user(id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(no_user()) }
}

/// Lists users by id, after a given one.
///
/// # Errors
/// 400 if the query is not understood.
pub async fn list(
    State(app): State<Arc<App>>,
    range: Result<Query<Range>, QueryRejection>,
) -> Result<Json<UserList>, Refusal> {
    let Ok(Query(range)) = range else {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, Text::BadQuery));
    };
    let limit = range.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let (total, users) = app.database.users(range.after.unwrap_or(0).into(), limit).await?;
    Ok(Json(UserList { total, users: users.into_iter().map(UserView::from).collect() }))
}

fn bad_body(why: &JsonRejection) -> Refusal {
    Refusal::new(why.status(), Text::BadBody(why.body_text()))
}
