//! The options of `#[job(…)]`, parsed once into a form that cannot be wrong.
//!
//! Everything that is wrong is said at once, each where it stands.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Lit, LitInt, LitStr, Meta, MetaNameValue, Path, Result, Token};

use crate::faults::Faults;
use crate::limits::{TAGS_MAX, fault_of_name};

const KNOWN: &str =
    "`kind`, `queue`, `priority`, `attempts`, `backoff`, `retry_delay`, `timeout`, `retention`, `tags`";

/// What was said of the kind.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) kind: Option<LitStr>,
    pub(crate) queue: Option<LitStr>,
    pub(crate) priority: Option<Expr>,
    pub(crate) attempts: Option<LitInt>,
    pub(crate) backoff: Option<Expr>,
    pub(crate) retry_delay: Option<Path>,
    pub(crate) timeout: Option<Expr>,
    pub(crate) retention: Option<Expr>,
    pub(crate) tags: Vec<LitStr>,
}

/// Parses `name = value` pairs.
pub(crate) fn parse(attribute: TokenStream) -> Result<Options> {
    let said = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(attribute).map_err(not_pairs)?;
    let (mut options, mut seen, mut faults) = (Options::default(), Vec::new(), Faults::default());
    for meta in said {
        let Some(pair) = faults.of(pair(meta)) else { continue };
        let name = pair.path.get_ident().map(ToString::to_string).unwrap_or_default();
        if seen.contains(&name) {
            faults.add(Error::new_spanned(&pair.path, format!("`{name}` is said twice; keep one of them")));
            continue;
        }
        faults.of(set(&mut options, &name, pair));
        seen.push(name);
    }
    faults.or(options)
}

fn pair(meta: Meta) -> Result<MetaNameValue> {
    match meta {
        Meta::NameValue(pair) => Ok(pair),
        other => Err(not_pairs(Error::new_spanned(other, "a value is missing"))),
    }
}

fn not_pairs(error: Error) -> Error {
    let message = format!("{error}; options are written `name = value`, as in `#[job(queue = \"mail\")]`");
    Error::new(error.span(), message)
}

fn set(options: &mut Options, name: &str, pair: MetaNameValue) -> Result<()> {
    let value = pair.value;
    match name {
        "kind" => options.kind = Some(name_text("kind", value)?),
        "queue" => options.queue = Some(name_text("queue", value)?),
        "priority" => options.priority = Some(priority(value)?),
        "attempts" => options.attempts = Some(attempts(value)?),
        "backoff" => options.backoff = Some(value),
        "retry_delay" => options.retry_delay = Some(path(value)?),
        "timeout" => options.timeout = Some(timeout(value)?),
        "retention" => options.retention = Some(value),
        "tags" => options.tags = tags(value)?,
        _ => {
            let said = pair.path.to_token_stream().to_string().replace(' ', "");
            let message = format!("`{said}` is not an option of a job; there are {KNOWN}");
            return Err(Error::new_spanned(&pair.path, message));
        }
    }
    Ok(())
}

fn name_text(what: &str, value: Expr) -> Result<LitStr> {
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = value else {
        return Err(Error::new_spanned(value, "a name in quotes is expected here, as in `\"mail\"`"));
    };
    match fault_of_name(&text.value()) {
        None => Ok(text),
        Some(fault) => Err(Error::new_spanned(text, format!("this {what} {fault}"))),
    }
}

/// A number is checked here; any other expression is left to the compiler, which expects an `i16`.
fn priority(value: Expr) -> Result<Expr> {
    let digits = match &value {
        Expr::Unary(negative) => &*negative.expr,
        positive => positive,
    };
    let Expr::Lit(ExprLit { lit, .. }) = digits else { return Ok(value) };
    let fits = matches!(lit, Lit::Int(_))
        && value.to_token_stream().to_string().replace(' ', "").parse::<i16>().is_ok();
    if fits {
        Ok(value)
    } else {
        Err(Error::new_spanned(value, "a priority is a number from -32768 to 32767"))
    }
}

fn attempts(value: Expr) -> Result<LitInt> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => match number.base10_parse::<u16>() {
            Ok(0) => {
                Err(Error::new_spanned(number, "with 0 attempts the job could never run; 1 means no retry"))
            }
            Ok(_) => Ok(number),
            Err(_) => Err(Error::new_spanned(number, "attempts are counted from 1 to 65535")),
        },
        other => Err(Error::new_spanned(other, "a number from 1 to 65535 is expected here")),
    }
}

fn timeout(value: Expr) -> Result<Expr> {
    if matches!(value, Expr::Lit(_)) {
        let message = "a `Duration` is expected here, as in `Duration::from_secs(30)`";
        return Err(Error::new_spanned(value, message));
    }
    Ok(value)
}

fn path(value: Expr) -> Result<Path> {
    match value {
        Expr::Path(path) => Ok(path.path),
        other => Err(Error::new_spanned(
            other,
            "the name of a function `fn(retry: u32, error: &JobError) -> Option<Duration>` is expected here",
        )),
    }
}

fn tags(value: Expr) -> Result<Vec<LitStr>> {
    let Expr::Array(array) = value else {
        let message = "a list of names is expected here, as in `[\"a\", \"b\"]`";
        return Err(Error::new_spanned(value, message));
    };
    let (mut tags, mut faults) = (Vec::new(), Faults::default());
    if array.elems.len() > TAGS_MAX {
        let message = format!("a job has at most {TAGS_MAX} tags; these are {}", array.elems.len());
        faults.add(Error::new_spanned(&array, message));
    }
    for element in array.elems {
        tags.extend(faults.of(name_text("tag", element)));
    }
    faults.or(tags)
}
