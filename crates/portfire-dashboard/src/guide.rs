//! The chapters of the guide about the dashboard, so that their examples are compiled with the documentation
//! tests.

#[doc = include_str!("../../../docs/guide/en/dashboard.md")]
struct Dashboard;

#[doc = include_str!("../../../docs/guide/zh-TW/dashboard.md")]
struct DashboardInChinese;
