//! The suite that every backend passes, on MariaDB and on MySQL.

use std::sync::Arc;

use portfire_core::{Storage, VirtualClock};
use portfire_mysql::MysqlStorage;

use crate::bed::{Database, Engine};

pub(crate) async fn make(engine: Engine, clock: Arc<VirtualClock>) -> (Arc<dyn Storage>, Database) {
    let database = Database::lent(engine).await;
    let storage = MysqlStorage::open(database.options().clock(clock)).await.unwrap();
    (Arc::new(storage), database)
}

pub(crate) mod mariadb {
    use super::{Arc, Database, Engine, Storage, VirtualClock};

    pub(crate) async fn make(clock: Arc<VirtualClock>) -> (Arc<dyn Storage>, Database) {
        super::make(Engine::Mariadb, clock).await
    }

    portfire_testkit::conformance!(crate::conformance::mariadb::make);
}

pub(crate) mod mysql {
    use super::{Arc, Database, Engine, Storage, VirtualClock};

    pub(crate) async fn make(clock: Arc<VirtualClock>) -> (Arc<dyn Storage>, Database) {
        super::make(Engine::Mysql, clock).await
    }

    portfire_testkit::conformance!(crate::conformance::mysql::make);
}
