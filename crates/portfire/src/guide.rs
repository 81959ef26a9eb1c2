//! The chapters of the guide, so that their examples are compiled and run with the documentation tests.

#[doc = include_str!("../../../docs/guide/en/schedules.md")]
struct Schedules;

#[doc = include_str!("../../../docs/guide/zh-TW/schedules.md")]
struct SchedulesInChinese;

#[doc = include_str!("../../../docs/guide/en/testing.md")]
struct Testing;

#[doc = include_str!("../../../docs/guide/zh-TW/testing.md")]
struct TestingInChinese;
