//! The chapters of the guide, so that their examples are compiled and run with the documentation tests.

#[doc = include_str!("../../../docs/guide/en/schedules.md")]
struct Schedules;

#[doc = include_str!("../../../docs/guide/zh-TW/schedules.md")]
struct SchedulesInChinese;

#[doc = include_str!("../../../docs/guide/en/operating.md")]
struct Operating;

#[doc = include_str!("../../../docs/guide/zh-TW/operating.md")]
struct OperatingInChinese;

#[doc = include_str!("../../../docs/guide/en/testing.md")]
struct Testing;

#[doc = include_str!("../../../docs/guide/zh-TW/testing.md")]
struct TestingInChinese;

#[doc = include_str!("../../../docs/guide/en/from-background-service.md")]
struct FromBackgroundService;

#[doc = include_str!("../../../docs/guide/zh-TW/from-background-service.md")]
struct FromBackgroundServiceInChinese;

#[doc = include_str!("../../../docs/guide/en/from-channel-queues.md")]
struct FromChannelQueues;

#[doc = include_str!("../../../docs/guide/zh-TW/from-channel-queues.md")]
struct FromChannelQueuesInChinese;

#[doc = include_str!("../../../docs/guide/en/storage.md")]
struct Storage;

#[doc = include_str!("../../../docs/guide/zh-TW/storage.md")]
struct StorageInChinese;

#[doc = include_str!("../../../docs/guide/en/statistics.md")]
struct Statistics;

#[doc = include_str!("../../../docs/guide/zh-TW/statistics.md")]
struct StatisticsInChinese;
