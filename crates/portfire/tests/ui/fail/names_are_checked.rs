use portfire::prelude::*;

#[job(kind = "")]
async fn empty_kind() {}

#[job(queue = mail)]
async fn queue_without_quotes() {}

#[job(queue = "a line\nbreak")]
async fn queue_with_a_control_character() {}

#[job(kind = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789")]
async fn kind_too_long() {}

#[job(tags = "one")]
async fn tags_not_a_list() {}

#[job(tags = ["fine", "", "a\0b", 7])]
async fn bad_tags() {}

#[job(tags = [
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19",
    "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32", "33"
])]
async fn too_many_tags() {}

#[job]
async fn a_name_that_goes_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on() {}

fn main() {}
