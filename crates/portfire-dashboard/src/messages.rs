//! Everything the dashboard says, in English and 繁體中文, side by side. A missing message does not compile.
//!
//! Words for states, and the words of the domain, are those of the glossary: 工作 job, 佇列 queue, 週期性工作
//! recurring job, 執行程序 server, 第 n 次執行 attempt. Chinese has a space between Han and Latin or digits, and
//! full-width punctuation.

use std::time::Duration;

use portfire_core::storage::Via;
use portfire_core::{Language, SlotFate, State, Timestamp};

use crate::gate::Permission;
use crate::sampler::Span;
use crate::time;

/// The messages in one language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) Language);

macro_rules! messages {
    ($($name:ident => $english:literal, $chinese:literal;)*) => {
        impl Text {
            $(pub(crate) const fn $name(self) -> &'static str {
                match self.0 {
                    Language::English => $english,
                    Language::TraditionalChinese => $chinese,
                }
            })*
        }
    };
}

macro_rules! sentences {
    ($this:ident: $($name:ident($($argument:ident: $type:ty),*) => $english:expr, $chinese:expr;)*) => {
        impl Text {
            $(pub(crate) fn $name(self, $($argument: $type),*) -> String {
                let $this = self;
                match $this.0 {
                    Language::English => $english,
                    Language::TraditionalChinese => $chinese,
                }
            })*
        }
    };
}

// The frame.
messages! {
    product => "Portfire", "Portfire";
    skip => "Skip to content", "跳到主要內容";
    navigation => "Pages", "頁面";
    overview => "Overview", "總覽";
    jobs => "Jobs", "工作";
    queues => "Queues", "佇列";
    recurring => "Recurring", "週期性工作";
    servers => "Servers", "執行程序";
    retries => "Retries", "等待重試";
    failed_jobs => "Failed", "失敗";
    about => "About", "關於";
    find_job => "Find a job", "尋找工作";
    find_hint => "Id, kind or filter", "識別碼、工作類型或篩選條件";
    find => "Find", "尋找";
    theme => "Theme", "佈景主題";
    theme_auto => "Auto", "自動";
    theme_light => "Light", "淺色";
    theme_dark => "Dark", "深色";
    live => "Live", "即時更新";
    live_on => "Live", "即時更新中";
    live_off => "Live updates are off", "即時更新已關閉";
    live_polling => "Polling", "定時更新中";
    live_lost => "Not connected", "尚未連線";
    show_updates => "Show updates", "顯示更新";
    copy => "Copy", "複製";
    copied => "Copied", "已複製";
    back_home => "Back to the overview", "回到總覽";
    retry_page => "Try again", "再試一次";
    none => "None", "無";
    dash => "—", "—";
}

sentences! { t:
    signed_in(actor: &str) => format!("Signed in as {actor}"), format!("登入身分：{actor}");
    data_as_of(at: &str) => format!("Data as of {at} UTC"), format!("資料時間 {at} UTC");
    version(version: &str) => format!("Portfire {version}"), format!("Portfire {version}");
    title(page: &str) => format!("{page} · Jobs"), format!("{page} · 工作儀表板");
}

// What becomes of a request that is not answered as asked.
messages! {
    not_found => "Not found", "找不到";
    nothing_here => "There is nothing at this address.", "這個網址沒有內容。";
    no_job => "This job is not here. It may have been deleted, or pruned after the time it was kept.", "找不到這個工作，可能已被刪除，或已超過保留時間而清除。";
    no_schedule => "There is no such schedule. It may have been removed.", "找不到這個週期性工作，可能已被移除。";
    forbidden => "Not allowed", "沒有權限";
    cross_site => "This request did not come from the dashboard itself, so nothing was done.", "這個請求不是由儀表板本身送出，因此沒有執行任何動作。";
    too_many => "Too many wrong passwords. Wait a minute and try again.", "密碼錯誤次數過多，請稍候一分鐘再試。";
    login_needed => "Sign in to see this page.", "請先登入才能檢視此頁面。";
    bad_request => "Not understood", "無法理解的請求";
    too_large => "The request is too large.", "請求內容過大。";
    wrong_method => "This address does not support that method.", "這個網址不支援這個方法。";
    conflict => "This job has changed", "這個工作已經改變";
    unavailable => "The storage does not answer", "儲存庫沒有回應";
    unavailable_hint => "The dashboard itself works; its database does not. This page tries again by itself.", "儀表板本身運作正常，但資料庫沒有回應。此頁面會自動重試。";
    busy => "Too many viewers", "檢視者過多";
    busy_hint => "Too many pages are live already; this one asks now and then instead.", "即時更新的頁面過多，此頁面改為定時更新。";
    slow => "This took too long", "查詢時間過長";
    slow_hint => "The query was stopped so that it does not disturb the jobs. Add a state, queue, kind or tag to the filter.", "為了不影響工作執行，查詢已停止。請在篩選條件加上狀態、佇列、工作類型或標籤。";
    last_known => "Last known numbers", "最後已知的數字";
}

sentences! { t:
    no_right(right: Permission) => format!("You do not have the permission “{right}”."), format!("您沒有「{right}」權限。");
    changed_to(state: State) => {
        let state = t.state(state);
        format!("It is {} now, not what the page showed. Nothing was done.", state.to_lowercase())
    }, format!("目前狀態是「{}」，與頁面顯示的不同，因此沒有執行任何動作。", t.state(state));
    changed_attempt() => "Another attempt began since the page was made. Nothing was done.".to_owned(), "頁面產生後已開始另一次執行，因此沒有執行任何動作。".to_owned();
    numbers_age(age: Duration) => format!("from {}", t.ago(age)), format!("{}的資料", t.ago(age));
}

// Numbers and time.
sentences! { t:
    ago(age: Duration) => if age < Duration::from_secs(1) { "just now".to_owned() } else { format!("{} ago", t.rough(age)) },
        if age < Duration::from_secs(1) { "剛剛".to_owned() } else { format!("{}前", t.rough(age)) };
    ahead(age: Duration) => if age < Duration::from_secs(1) { "now".to_owned() } else { format!("in {}", t.rough(age)) },
        if age < Duration::from_secs(1) { "現在".to_owned() } else { format!("{}後", t.rough(age)) };
    rough(length: Duration) => time::in_words(length, &[" d", " h", " min", " s", " ms"], 1, ""), time::in_words(length, &[" 天", " 小時", " 分鐘", " 秒", " 毫秒"], 1, "");
    length(length: Duration) => time::in_words(length, &[" d", " h", " min", " s", " ms"], 2, " "), time::in_words(length, &[" 天", " 小時", " 分", " 秒", " 毫秒"], 2, " ");
    count_jobs(count: u64) => if count == 1 { "1 job".to_owned() } else { format!("{} jobs", time::grouped(count)) }, format!("{} 個工作", time::grouped(count));
    count_servers(count: usize) => if count == 1 { "1 server".to_owned() } else { format!("{count} servers") }, format!("{count} 個執行程序");
}

impl Text {
    /// The tag of the language, for `lang`.
    pub(crate) const fn tag(self) -> &'static str {
        crate::language::tag(self.0)
    }

    /// A state, as a word beside its mark.
    pub(crate) const fn state(self, state: State) -> &'static str {
        match (self.0, state) {
            (Language::English, State::Awaiting) => "Awaiting",
            (Language::English, State::Scheduled) => "Scheduled",
            (Language::English, State::Enqueued) => "Enqueued",
            (Language::English, State::Processing) => "Processing",
            (Language::English, State::Retrying) => "Retrying",
            (Language::English, State::Succeeded) => "Succeeded",
            (Language::English, State::Failed) => "Failed",
            (Language::English, State::Cancelled) => "Cancelled",
            (Language::TraditionalChinese, State::Awaiting) => "等待前置工作",
            (Language::TraditionalChinese, State::Scheduled) => "已排程",
            (Language::TraditionalChinese, State::Enqueued) => "待執行",
            (Language::TraditionalChinese, State::Processing) => "執行中",
            (Language::TraditionalChinese, State::Retrying) => "等待重試",
            (Language::TraditionalChinese, State::Succeeded) => "已成功",
            (Language::TraditionalChinese, State::Failed) => "已失敗",
            (Language::TraditionalChinese, State::Cancelled) => "已取消",
        }
    }

    /// An instant, told from `now`.
    pub(crate) fn distance(self, now: Timestamp, at: Timestamp) -> String {
        if at > now { self.ahead(at.since(now)) } else { self.ago(now.since(at)) }
    }
}

// Jobs.
messages! {
    all => "All", "全部";
    job => "Job", "工作";
    kind => "Kind", "工作類型";
    queue => "Queue", "佇列";
    name => "Name", "名稱";
    standing => "State", "狀態";
    attempts => "Attempts", "執行次數";
    created => "Created", "建立時間";
    due => "Due", "預定時間";
    waits_since => "Waiting since", "等待起始";
    runs_since => "Started", "開始時間";
    retried_at => "Next attempt", "下次執行";
    ended => "Ended", "結束時間";
    last_change => "When", "時間";
    started => "Started", "啟動時間";
    filter => "Filter", "篩選";
    filter_example => "state:failed queue:mail kind:send_mail tag:vip", "state:failed queue:mail kind:send_mail tag:vip";
    filter_too_long => "The filter is too long.", "篩選條件過長。";
    filter_unclosed => "A quote is never closed.", "引號沒有結束。";
    clear_filter => "Clear the filter", "清除篩選條件";
    nothing_matches => "Nothing matches", "沒有符合的工作";
    no_jobs => "No jobs yet", "還沒有工作";
    no_failures => "No failed jobs", "沒有失敗的工作";
    no_failures_hint => "Everything that ended, ended well.", "所有已結束的工作都順利完成。";
    select => "Select", "選取";
    select_all => "Select all on this page", "選取本頁全部";
    with_selected => "With selected", "對選取的工作";
    put_off => "Reschedule", "改期";
    put_off_by => "When", "時間";
    run_now => "Run now", "立即執行";
    cancel => "Cancel", "取消";
    delete => "Delete", "刪除";
    keep => "Keep", "保留";
    paging => "Paging", "分頁";
    first_page => "First page", "第一頁";
    next_page => "Next page", "下一頁";
    previous_page => "Previous page", "上一頁";
    held => "Held", "佇列暫停中";
    held_hint => "It is held: its queue is paused.", "佇列暫停中，這個工作暫時不會執行。";
    see_job => "See the job", "檢視工作";
    no_time => "Say when: `delay` in seconds, or `at` as 2026-10-03T14:05 in UTC.", "請指定時間：`delay`（秒），或 UTC 的 `at`（例如 2026-10-03T14:05）。";
    too_many_chosen => "Too many jobs at once; at most a page of them.", "一次選取的工作過多，最多一頁。";
    none_chosen => "No job was selected.", "沒有選取任何工作。";
    delete_hint => "What belongs to them goes too: arguments, errors, log and result. Jobs that wait for them are cancelled. This cannot be undone.", "參數、錯誤、紀錄與結果會一併刪除，等待它們的工作會被取消。此動作無法復原。";
}

sentences! { t:
    filter_key(key: &str) => format!("“{key}” is not something to filter by; there are state, queue, kind, tag, id, error, since and until."), format!("無法以「{key}」篩選；可用的有 state、queue、kind、tag、id、error、since、until。");
    filter_state(word: &str) => {
        let states = State::ALL.map(State::as_str).join(", ");
        format!("“{word}” is not a state; the states are {states}.")
    }, {
        let states = State::ALL.map(State::as_str).join("、");
        format!("「{word}」不是狀態；可用的狀態有 {states}。")
    };
    filter_id(word: &str) => format!("“{word}” is not a job's id."), format!("「{word}」不是工作的識別碼。");
    filter_empty(key: &str) => format!("“{key}” has no value."), format!("「{key}」沒有值。");
    filter_twice(key: &str) => format!("“{key}” is there twice; a job has one of it."), format!("「{key}」重複出現；每個工作只有一個。");
    filter_without(key: &str) => format!("Jobs cannot be left out by “{key}”; they can by queue, kind and tag."), format!("無法以「{key}」排除；可排除的有 queue、kind 與 tag。");
    took(length: &str) => format!("took {length}"), format!("耗時 {length}");
    and_more(count: u64) => format!("and {} more", time::grouped(count)), format!("還有 {} 個", time::grouped(count));
    delete_question(jobs: &str) => format!("Delete {jobs}?"), format!("要刪除 {jobs}嗎？");
    not_done(count: u32) => format!("{} could not be changed: gone, or in a state that does not allow it.", time::grouped(count.into())), format!("{} 個無法變更：已不存在，或目前狀態不允許。", time::grouped(count.into()));
    done_run(jobs: &str) => format!("{jobs} will run now."), format!("{jobs}將立即執行。");
    done_cancel(jobs: &str) => format!("{jobs} cancelled."), format!("已取消 {jobs}。");
    done_flag(jobs: &str) => format!("{jobs} asked to stop; the server is told."), format!("已要求停止 {jobs}，將通知執行程序。");
    done_reschedule(jobs: &str) => format!("{jobs} rescheduled."), format!("已改期 {jobs}。");
    done_delete(jobs: &str) => format!("{jobs} deleted."), format!("已刪除 {jobs}。");
}

// One job.
messages! {
    call => "Call", "呼叫";
    result => "Result", "結果";
    errors => "Errors", "錯誤";
    log => "Log", "紀錄";
    life => "Timeline", "時間軸";
    track => "Waiting and running, to scale", "等待與執行時間的比例圖";
    facts => "Details", "詳細資料";
    relatives => "Related jobs", "相關工作";
    parents => "Waits for", "前置工作";
    children => "Waited for by", "後續工作";
    waited_for => "not ended", "尚未結束";
    on_success => "if it succeeds", "成功時";
    on_failure => "if it fails", "失敗時";
    on_end => "however it ends", "無論結果";
    progress => "Progress", "進度";
    copy_json => "Copy arguments as JSON", "以 JSON 複製參數";
    args_hidden => "You may not see arguments.", "您沒有檢視參數的權限。";
    crashes => "Crashes", "異常中斷次數";
    priority => "Priority", "優先順序";
    timeout => "Timeout", "逾時";
    kept => "Kept", "保留時間";
    forever => "until deleted", "直到刪除";
    unique => "Unique name", "唯一名稱";
    made_by => "Made by", "來源";
    server => "Server", "執行程序";
    on_server => "Server", "執行程序";
    was_created => "Created", "建立";
    will_run => "Will run", "預定執行";
    server_gone => "The server that runs it does not answer. It will be rescued when the lease has expired.", "執行它的程序沒有回應，租約到期後會重新執行。";
    cancel_requested => "It was asked to stop, and runs until it hears of it.", "已要求停止，收到通知前仍會繼續執行。";
}

sentences! { t:
    attempt(number: u16) => format!("Attempt {number}"), format!("第 {number} 次執行");
    attempt_began(number: u16) => format!("Attempt {number} began"), format!("第 {number} 次執行開始");
    attempt_ended(number: u16, outcome: &str) => format!("Attempt {number}: {outcome}"), format!("第 {number} 次執行：{outcome}");
    cut(bytes: u64) => format!("(cut; {} bytes in all)", time::grouped(bytes)), format!("（已截斷，共 {} 位元組）", time::grouped(bytes));
    last_lines(lines: u64) => format!("The last {} lines.", time::grouped(lines)), format!("最後 {} 行。", time::grouped(lines));
    first_ones(jobs: u64) => format!("The first {}.", time::grouped(jobs)), format!("前 {} 個。", time::grouped(jobs));
    kept_if(succeeded: &str, failed: &str) => format!("{succeeded} if it succeeds; if it fails, {failed}"), format!("成功：{succeeded}；失敗：{failed}");
}

// Recurring.
messages! {
    when_it_runs => "Runs", "執行時間";
    next_run => "Next run", "下次執行";
    last_run => "Last run", "上次執行";
    next_times => "Next times", "接下來的執行時間";
    actions => "Actions", "動作";
    paused => "Paused", "已暫停";
    flagged => "Cannot go on", "無法繼續";
    pause => "Pause", "暫停";
    pause_because => "Pause…", "暫停…";
    resume => "Resume", "繼續";
    remove => "Remove", "移除";
    never => "Never", "從未執行";
    history => "History", "歷史紀錄";
    slot => "Slot", "排定時間";
    fate => "Outcome", "結果";
    late => "Late by", "延遲";
    pruned => "pruned", "已清除";
    runs_as => "Each run", "每次執行";
    if_missed => "If nobody was there", "錯過時";
    if_running => "If the last run has not ended", "上次尚未結束時";
    misfire_skip => "Left out", "略過";
    misfire_once => "One run for all of them", "合併為一次執行";
    overlap_allow => "Runs beside it", "同時執行";
    overlap_skip => "Left out", "略過";
    overlap_one_waiting => "Waits for it; one at most", "等待其結束，最多一個";
    no_schedules => "No recurring jobs", "沒有週期性工作";
    no_schedules_hint => "An application puts them when it starts: jobs.recurring(name, cron).upsert(call).", "應用程式啟動時會建立：jobs.recurring(name, cron).upsert(call)。";
    day_and_time => "%a %Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S";
    remove_hint => "It runs no more. Jobs that it made stay. If the application puts it again when it starts, it comes back.", "將不再執行，已建立的工作會保留。如果應用程式啟動時再次建立，它會重新出現。";
    done_schedule_run => "It runs now.", "已立即執行。";
    done_schedule_pause => "Paused.", "已暫停。";
    done_schedule_resume => "Resumed.", "已繼續。";
    done_schedule_remove => "Removed.", "已移除。";
}

sentences! { t:
    misfire_all(most: u16) => format!("A run for each, at most {most}"), format!("各執行一次，最多 {most} 次");
    in_zone(zone: &str) => format!("Times in {zone}"), format!("時區：{zone}");
    clock_change(minutes: i32) => if minutes > 0 { format!("The clock goes forward by {minutes} minutes") } else { format!("The clock goes back by {} minutes", -minutes) },
        if minutes > 0 { format!("時鐘撥快 {minutes} 分鐘") } else { format!("時鐘撥慢 {} 分鐘", -minutes) };
    remove_question(id: &str) => format!("Remove “{id}”?"), format!("要移除「{id}」嗎？");
}

// Queues, servers, the whole.
messages! {
    slots => "Slots", "並行數";
    process => "Process", "處理程序編號";
    alive => "Alive", "運作中";
    lost => "Lost", "失去聯繫";
    lost_hint => "Its lease has expired; what it ran will be rescued.", "租約已到期，執行中的工作會由其他程序接手。";
    no_servers => "No server is running", "沒有執行程序在運作";
    no_servers_hint => "Jobs wait until one starts.", "工作會等到有執行程序啟動。";
    no_queues => "No queues yet", "還沒有佇列";
    no_queues_hint => "A queue is there as soon as a job or a server names it.", "只要有工作或執行程序使用，佇列就會出現。";
    nobody_serves => "Jobs wait, and no server serves it", "有工作等待，但沒有執行程序服務此佇列";
    latest_failures => "Latest failures", "最近的失敗";
    next_runs => "Next recurring runs", "即將執行的週期性工作";
    first_steps => "First steps", "開始使用";
    first_server => "Start a server.", "啟動執行程序。";
    first_job => "Write a job.", "撰寫工作。";
    first_enqueue => "Enqueue it, and see it here.", "加入佇列，然後在這裡檢視。";
    storage_clock => "Clock of the storage", "儲存庫時間";
    clock_skew => "Difference to this host's clock", "與本機時鐘的差異";
    clocks_disagree => "The clocks disagree", "時鐘不一致";
    your_rights => "Your rights", "您的權限";
    license => "License", "授權";
    license_words => "MIT or Apache-2.0, as you like.", "MIT 或 Apache-2.0，任選其一。";
}

impl Text {
    /// How an attempt ended, as it is stored.
    pub(crate) fn outcome(self, word: &str) -> &str {
        if self.0 == Language::English {
            return word;
        }
        match word {
            "succeeded" => "成功",
            "failed" => "失敗",
            "timed out" => "逾時",
            "panicked" => "發生 panic",
            "undecodable" => "參數無法解讀",
            "snoozed" => "延後",
            "cancelled" => "取消",
            "interrupted" => "中斷",
            "crashed" => "執行程序中斷",
            other => other,
        }
    }

    /// What a target was or is, in the words of the audit: a state, a standing, an order; other words stay.
    pub(crate) fn was(self, word: &str) -> &str {
        if let Ok(state) = word.parse() {
            return self.state(state);
        }
        let (english, chinese) = match word {
            "active" => ("Active", "啟用"),
            "paused" => ("Paused", "已暫停"),
            "flagged" => ("Cannot go on", "無法繼續"),
            "run" => ("Runs", "運作中"),
            "quiet" => ("Takes no more jobs", "不再接新工作"),
            "stop" => ("Stopping", "正在停止"),
            other => (other, other),
        };
        if self.0 == Language::English { english } else { chinese }
    }

    /// What became of a slot.
    pub(crate) const fn fate_word(self, fate: SlotFate) -> &'static str {
        match (self.0, fate) {
            (Language::English, SlotFate::Fired) => "Ran",
            (Language::English, SlotFate::Triggered) => "Asked for",
            (Language::English, SlotFate::Overlapped) => "Left out: the run before had not ended",
            (Language::English, SlotFate::Missed) => "Missed",
            (Language::TraditionalChinese, SlotFate::Fired) => "已執行",
            (Language::TraditionalChinese, SlotFate::Triggered) => "手動執行",
            (Language::TraditionalChinese, SlotFate::Overlapped) => "略過：上次尚未結束",
            (Language::TraditionalChinese, SlotFate::Missed) => "錯過",
        }
    }
}

// Steering.
messages! {
    more => "More…", "更多…";
    move_to => "Move to queue", "移至佇列";
    prioritize => "Set priority", "設定優先順序";
    reason => "Reason", "原因";
    reason_hint => "Reason, for the audit log", "原因（寫入稽核紀錄）";
    no_queue_named => "Name the queue to move to.", "請指定要移至的佇列。";
    no_priority => "Give a priority: a whole number from -32768 to 32767.", "請輸入優先順序：-32768 到 32767 的整數。";
    quiet => "Takes no more jobs", "不再接新工作";
    make_quiet => "Quiet", "停止接工作";
    stopping => "Stopping", "正在停止";
    stop => "Stop", "停止";
    done_server_quiet => "The server takes no more jobs once it hears of it.", "執行程序收到通知後將不再接新工作。";
    done_server_resume => "The server takes jobs again once it hears of it.", "執行程序收到通知後將繼續接工作。";
    done_server_stop => "The server stops once it hears of it: it finishes or gives back what it runs.", "執行程序收到通知後將停止：完成或交還執行中的工作。";
    oldest_wait => "Oldest wait", "最久等待";
    done_lately => "Succeeded, 1 h", "近 1 小時成功";
    failed_lately => "Failed, 1 h", "近 1 小時失敗";
    keep_searching => "Keep searching", "繼續搜尋更早的資料";
    same_error => "Same error", "相同錯誤";
    see_jobs => "See the jobs", "檢視工作";
}

sentences! { t:
    filter_fault(word: &str) => format!("“{word}” is not a group of failures."), format!("「{word}」不是錯誤群組。");
    filter_time(word: &str) => format!("“{word}” is not a time; write -2h, 2026-10-01 or 2026-10-01T14:05 (UTC)."), format!("「{word}」不是時間；請寫成 -2h、2026-10-01 或 2026-10-01T14:05（UTC）。");
    searched(rows: u64) => format!("Searched {} jobs.", time::grouped(rows)), format!("已搜尋 {} 個工作。", time::grouped(rows));
    done_move(jobs: &str) => format!("{jobs} moved."), format!("已移動 {jobs}。");
    done_prioritize(jobs: &str) => format!("Priority of {jobs} set."), format!("已設定 {jobs}的優先順序。");
    oldest(wait: &str) => format!("oldest {wait}"), format!("最久 {wait}");
    deed_by(word: &str, who: &str) => format!("{word}: {who}"), format!("{who}：{word}");
    deed_because(word: &str, who: &str, why: &str) => format!("{word}: {who} — {why}"), format!("{who}：{word}（{why}）");
}

// Failures by what they have in common; who did what; what happened.
messages! {
    latest_first => "Latest", "最近發生";
    most_first => "Most", "次數最多";
    all_failed => "All failed jobs", "所有失敗的工作";
    no_groups_hint => "Failures are kept here by what they have in common.", "失敗會依共同原因歸類在這裡。";
    error => "Error", "錯誤";
    times => "Times", "次數";
    failed_now => "Failed now", "目前失敗";
    last_seen => "Last seen", "最近發生";
    first_seen => "First seen", "首次發生";
    audit => "Audit log", "稽核紀錄";
    no_audit => "Nobody has changed anything", "還沒有人變更過任何東西";
    no_audit_hint => "What people do here is kept for 90 days.", "人員在此的操作會保留 90 天。";
    when => "When", "時間";
    who => "Who", "操作者";
    what => "What", "動作";
    to_what => "Of what", "對象";
    change => "Change", "變更";
    was_refused => "Refused", "未獲允許";
    span => "Period", "期間";
    created_jobs => "Created", "建立";
    retried => "Retried", "重試";
    as_table => "As a table", "以表格檢視";
    mean_wait => "Mean wait", "平均等待";
    mean_run => "Mean run", "平均執行";
    storage => "Storage", "儲存庫";
    place => "Place", "位置";
    schema => "Schema version", "結構版本";
    size => "Size", "大小";
}

impl Text {
    /// How far a history goes back.
    pub(crate) const fn span_word(self, span: Span) -> &'static str {
        match (self.0, span) {
            (Language::English, Span::Hour) => "1 h",
            (Language::English, Span::Day) => "24 h",
            (Language::English, Span::Week) => "7 d",
            (Language::English, Span::Month) => "30 d",
            (Language::TraditionalChinese, Span::Hour) => "1 小時",
            (Language::TraditionalChinese, Span::Day) => "24 小時",
            (Language::TraditionalChinese, Span::Week) => "7 天",
            (Language::TraditionalChinese, Span::Month) => "30 天",
        }
    }

    /// The way a person came.
    pub(crate) const fn via(self, via: Via) -> &'static str {
        match (self.0, via) {
            (Language::English, Via::Dashboard) => "dashboard",
            (Language::English, Via::Api) => "API",
            (Language::English, Via::CommandLine) => "command line",
            (Language::TraditionalChinese, Via::Dashboard) => "儀表板",
            (Language::TraditionalChinese, Via::Api) => "API",
            (Language::TraditionalChinese, Via::CommandLine) => "命令列",
        }
    }

    /// What a person did, as it is stored.
    pub(crate) fn deed(self, word: &str) -> &str {
        let (english, chinese) = match word {
            "cancel" => ("Cancel", "取消"),
            "run now" => ("Run now", "立即執行"),
            "reschedule" => ("Reschedule", "改期"),
            "move" => ("Move", "移動"),
            "prioritize" => ("Set priority", "設定優先順序"),
            "delete" => ("Delete", "刪除"),
            "pause" => ("Pause", "暫停"),
            "resume" => ("Resume", "繼續"),
            "remove" => ("Remove", "移除"),
            "trigger" => ("Run now", "立即執行"),
            "run" => ("Take jobs again", "繼續接工作"),
            "quiet" => ("Quiet", "停止接工作"),
            "stop" => ("Stop", "停止"),
            other => (other, other),
        };
        if self.0 == Language::English { english } else { chinese }
    }
}

// All failures of one group, keys, and jumps.
messages! {
    run_all => "Run all again", "全部重新執行";
    delete_all => "Delete all", "全部刪除";
    go_on => "Go on", "繼續";
    stop_here => "Stop here", "到此為止";
    jump => "Go to a time", "前往時間";
    keyboard => "Keyboard", "鍵盤";
    keys_on => "Use these keys", "使用這些按鍵";
    close => "Close", "關閉";
    key_help => "This list", "顯示此清單";
    key_find => "Find a job", "尋找工作";
    key_rows => "Next and previous row", "下一列與上一列";
    key_select => "Select the row", "選取該列";
    key_next => "Next page", "下一頁";
    key_previous => "Previous page", "上一頁";
    key_live => "Live updates on and off", "開啟或關閉即時更新";
}

sentences! { text:
    rounds_hint(jobs: u64) => format!("Only jobs that have failed by now. It is done in rounds of up to {}; you may stop between them.", time::grouped(jobs)), format!("只包含目前已失敗的工作。分批進行，每批最多 {} 個；批次之間可以停止。", time::grouped(jobs));
    done_so_far(jobs: u64) => format!("{} done so far.", text.count_jobs(jobs)), format!("目前已處理 {}。", text.count_jobs(jobs));
    key_go(page: &str) => format!("Go to “{page}”"), format!("前往「{page}」");
    cannot_be_read(field: &str) => format!("“{field}” cannot be read."), format!("無法讀取「{field}」。");
}
