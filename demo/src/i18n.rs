//! Everything the service says, in 繁體中文 and English. A missing translation does not compile.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::request::Parts;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::csv_rows::Problem;

/// A language of the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub enum Language {
    /// 繁體中文, the default.
    #[default]
    #[serde(rename = "zh-TW")]
    #[value(name = "zh-TW")]
    Chinese,
    /// English.
    #[serde(rename = "en")]
    #[value(name = "en")]
    English,
}

impl Language {
    /// What an `Accept-Language` header asks for: the language of ours with the highest weight.
    pub fn negotiate(header: &str) -> Self {
        let mut best = (0.0, Self::default());
        for part in header.split(',') {
            let mut pieces = part.split(';');
            let tag = pieces.next().unwrap_or("").trim().to_ascii_lowercase();
            let weight =
                pieces.find_map(|piece| piece.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            if let Some(language) = Self::of_tag(&tag).filter(|_| weight > best.0) {
                best = (weight, language);
            }
        }
        best.1
    }

    fn of_tag(tag: &str) -> Option<Self> {
        match tag.split('-').next() {
            Some("zh") => Some(Self::Chinese),
            Some("en") => Some(Self::English),
            _ => None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Language {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let header = parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Ok(header.map_or_else(Self::default, Self::negotiate))
    }
}

/// Something the service says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// An upload without a file.
    ChooseFile,
    /// An upload that is no CSV file.
    OnlyCsv,
    /// An upload that is too large; the limit in bytes.
    TooLarge(u64),
    /// A body that is not what it should be.
    BadBody(String),
    /// An upload was accepted.
    Queued,
    /// A report will be made.
    ReportQueued,
    /// There is no such job.
    NoJob,
    /// There is no such address.
    NoRoute,
    /// There is such an address, but not with this method.
    NoMethod,
    /// There is no such report, or not yet.
    NoReport,
    /// There is no such preview, or not yet.
    NoPreview,
    /// A report is named by a number.
    ReportIdIsNumber,
    /// A query parameter cannot be understood.
    BadQuery,
    /// A user that cannot be one.
    BadUser(Problem),
    /// There is no such user.
    NoUser,
    /// A user with this address exists.
    EmailTaken,
    /// It is our fault.
    Internal,
}

impl Text {
    /// The words.
    pub fn say(&self, language: Language) -> String {
        match language {
            Language::Chinese => self.chinese(),
            Language::English => self.english(),
        }
    }

    fn chinese(&self) -> String {
        match self {
            Self::ChooseFile => "請選擇 CSV 檔案".into(),
            Self::OnlyCsv => "只接受 CSV 檔案".into(),
            Self::TooLarge(limit) => format!("檔案太大，上限為 {limit} 位元組"),
            Self::BadBody(why) => format!("無法讀取請求內容：{why}"),
            Self::Queued => "檔案已加入處理佇列，請稍後查看結果".into(),
            Self::ReportQueued => "報表已加入處理佇列，請稍後查看結果".into(),
            Self::NoJob => "找不到該工作".into(),
            Self::NoRoute => "找不到該頁面".into(),
            Self::NoMethod => "此網址不支援這個方法".into(),
            Self::NoReport => "找不到該報表，可能尚未完成".into(),
            Self::NoPreview => "找不到該預覽，可能尚未完成".into(),
            Self::ReportIdIsNumber => "報表編號必須是正整數".into(),
            Self::BadQuery => "查詢參數不正確：limit 與 after 必須是非負整數".into(),
            Self::BadUser(problem) => problem_in_chinese(*problem).into(),
            Self::NoUser => "找不到該使用者".into(),
            Self::EmailTaken => "此電子郵件已被使用".into(),
            Self::Internal => "伺服器發生錯誤，請稍後再試".into(),
        }
    }

    fn english(&self) -> String {
        match self {
            Self::ChooseFile => "Choose a CSV file.".into(),
            Self::OnlyCsv => "Only CSV files are accepted.".into(),
            Self::TooLarge(limit) => format!("The file is too large; the limit is {limit} bytes."),
            Self::BadBody(why) => format!("The request body cannot be read: {why}"),
            Self::Queued => "The file is in the queue; look for the result in a moment.".into(),
            Self::ReportQueued => "The report is in the queue; look for the result in a moment.".into(),
            Self::NoJob => "There is no such job.".into(),
            Self::NoRoute => "There is nothing at this address.".into(),
            Self::NoMethod => "This address does not support that method.".into(),
            Self::NoReport => "There is no such report, or it is not ready yet.".into(),
            Self::NoPreview => "There is no such preview, or it is not ready yet.".into(),
            Self::ReportIdIsNumber => "A report id is a positive whole number.".into(),
            Self::BadQuery => "Query not understood: limit and after are whole numbers, not negative.".into(),
            Self::BadUser(problem) => problem_in_english(*problem).into(),
            Self::NoUser => "There is no such user.".into(),
            Self::EmailTaken => "This e-mail address is taken.".into(),
            Self::Internal => "Something went wrong on the server; try again later.".into(),
        }
    }
}

const fn problem_in_chinese(problem: Problem) -> &'static str {
    match problem {
        Problem::TooFewFields => "欄位太少，需要「顯示名稱,電子郵件」",
        Problem::TooManyFields => "欄位太多，只需要「顯示名稱,電子郵件」",
        Problem::NotUtf8 => "文字不是 UTF-8 編碼",
        Problem::NoName => "缺少顯示名稱",
        Problem::BadName => "顯示名稱太長或含有控制字元",
        Problem::NoEmail => "缺少電子郵件",
        Problem::BadEmail => "電子郵件格式不正確",
        Problem::TooLong => "資料列太長，可能是引號沒有結束",
    }
}

const fn problem_in_english(problem: Problem) -> &'static str {
    match problem {
        Problem::TooFewFields => "too few fields; `display name,email` is expected",
        Problem::TooManyFields => "too many fields; `display name,email` is expected",
        Problem::NotUtf8 => "not UTF-8 text",
        Problem::NoName => "the display name is missing",
        Problem::BadName => "the display name is too long or has control characters",
        Problem::NoEmail => "the e-mail address is missing",
        Problem::BadEmail => "not an e-mail address",
        Problem::TooLong => "the row is too long; perhaps a quote is never closed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_weight_wins_and_chinese_is_the_default() {
        for (header, language) in [
            ("", Language::Chinese),
            ("fr", Language::Chinese),
            ("en", Language::English),
            ("en-US,en;q=0.9", Language::English),
            ("zh-TW,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("fr, en;q=0.5, zh;q=0.3", Language::English),
            ("en;q=0, zh;q=nonsense", Language::Chinese),
            ("en;q=NaN", Language::Chinese),
        ] {
            assert_eq!(Language::negotiate(header), language, "{header}");
        }
    }
}
