//! Expressions in words: what each part of the language sounds like in both languages.

use std::fmt::Write;

use portfire_core::{Cron, Language};

const EXPRESSIONS: &str = "\
*/5 * * * *
0 * * * *
0 0 * * *
0 2 * * *
0 0 * * 1
0 0 1 * *
0 9 * * 1-5
* * * * *
*/1 * * * *
1 * * * *
30 * * * *
0,30 * * * *
0,15,30,45 * * * *
*/7 * * * *
*/40 * * * *
5/15 * * * *
3-50/7 * * * *
10-20 * * * *
50-10 * * * *
0,10-20 * * * *
0 */2 * * *
15 */2 * * *
0 */5 * * *
0 9-17 * * *
30 9-17 * * *
0 9-17/2 * * *
0 22-3 * * *
0 6/6 * * *
0 6,18 * * *
0 12,9-11 * * *
0,30 9,17 * * *
0,20,40 1,2,3 * * *
*/5 9-17 * * *
*/5 9 * * *
*/5 */2 * * *
*/5 8-18/2 * * *
*/10 9-11,14-16 * * 1-5
0,30 9-17 * * MON-FRI
* 2 * * *
0 2 1 * *
0 2 1,15 * *
0 2 1-7 * *
0 2 28-3 * *
0 2 */2 * *
0 2 */28 * *
0 2 2-20/3 * *
0 2 5/10 * *
0 2 L * *
0 2 L-1 * *
0 2 L-3 * *
0 2 15W * *
0 2 1W * *
0 2 LW * *
0 2 1,15,L * *
0 2 ? * *
0 2 * 1 *
0 2 * JAN,JUL *
0 2 * */3 *
0 2 * 6-8 *
0 2 * NOV-FEB *
*/5 * * 12 *
0 0 1 1 *
0 0 1 JAN,JUL *
0 0 L 2 *
0 0 29 2 *
0 0 * * 0
0 0 * * 7
0 0 * * SUN,SAT
0 0 * * 1,3,5
0 0 * * FRI-MON
0 0 * * */2
0 0 * * 1-5/2
0 0 * * MON#2
0 0 * * 5#3
0 0 * * FRIL
0 0 * * MON#1,MON#3
0 0 * * MON,FRIL
0 0 * 3 MON
0 0 * 3-5 MON#2
0 0 13 * FRI
0 0 1,15 * MON-FRI
0 0 1 * FRIL
0 0 */2 * MON
0 0 1 1 MON
0 0 13 * */5
*/5 * * * 1-5
*/5 * 1 * *
*/15 9-17 * * MON-FRI
* * * * * *
*/10 * * * * *
0 0 2 * * *
30 * * * * *
0,30 * * * * *
10-20 * * * * *
*/7 * * * * *
15 30 2 * * *
30 */5 * * * *
30 0 * * * *
30 15 * * * *
30 15 */2 * * *
*/10 5 * * * *
*/10 0-5 * * * *
*/10 */5 * * * *
0,30 0,30 * * * *
*/10 * 9-17 * * *
*/10 30 9 * * 1-5
@yearly
@monthly
@weekly
@daily
@hourly
@every_minute
@every_second";

fn words(expression: &str) -> [String; 2] {
    let cron = Cron::parse(expression).unwrap();
    [Language::English, Language::TraditionalChinese].map(|language| cron.describe(language))
}

#[test]
fn every_part_of_the_language_reads_well() {
    let mut told = String::new();
    for expression in EXPRESSIONS.lines() {
        let [english, chinese] = words(expression);
        writeln!(told, "{expression}\n    {english}\n    {chinese}").unwrap();
    }
    insta::assert_snapshot!(told);
}

#[test]
fn the_first_examples_of_every_guide_read_as_people_say_them() {
    let examples = [
        ("*/5 * * * *", "Every 5 minutes", "每 5 分鐘"),
        ("0 * * * *", "Every hour", "每小時"),
        ("0 0 * * *", "At 00:00, every day", "每天 00:00"),
        ("0 2 * * *", "At 02:00, every day", "每天 02:00"),
        ("0 0 * * 1", "At 00:00, every Monday", "每週一 00:00"),
        ("0 0 1 * *", "At 00:00, on the 1st of every month", "每月 1 號 00:00"),
        ("0 9 * * 1-5", "At 09:00, Monday to Friday", "週一到週五 09:00"),
    ];
    for (expression, english, chinese) in examples {
        assert_eq!(words(expression), [english, chinese], "{expression}");
    }
}

#[test]
fn spellings_that_mean_the_same_are_told_the_same() {
    for (one, other) in [
        ("@daily", "0 0 * * *"),
        ("0 0 2 * * *", "0 2 * * ?"),
        ("30,0 * * * *", "0,30 * * * *"),
        ("0 0 * * SUN", "0 0 * * 7"),
        ("5/15 * * * *", "5-50/15 * * * *"),
        ("0 0 1 */6 *", "0 0 1 JAN,JUL *"),
        ("*/40 * * * *", "0,40 * * * *"),
    ] {
        assert_eq!(words(one), words(other), "{one} and {other}");
    }
}
