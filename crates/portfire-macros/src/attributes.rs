//! The options of `#[job(…)]`, parsed once into a form that cannot be wrong.

use proc_macro2::TokenStream;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Lit, LitInt, LitStr, MetaNameValue, Path, Result, Token};

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
    let pairs = Punctuated::<MetaNameValue, Token![,]>::parse_terminated.parse2(attribute)?;
    let (mut options, mut seen) = (Options::default(), Vec::new());
    for pair in pairs {
        let name = pair.path.get_ident().map(ToString::to_string).unwrap_or_default();
        if seen.contains(&name) {
            return Err(Error::new_spanned(&pair.path, format!("`{name}` is said twice")));
        }
        set(&mut options, &name, pair)?;
        seen.push(name);
    }
    Ok(options)
}

fn set(options: &mut Options, name: &str, pair: MetaNameValue) -> Result<()> {
    let value = pair.value;
    match name {
        "kind" => options.kind = Some(name_text(value)?),
        "queue" => options.queue = Some(name_text(value)?),
        "priority" => options.priority = Some(value),
        "attempts" => options.attempts = Some(attempts(value)?),
        "backoff" => options.backoff = Some(value),
        "retry_delay" => options.retry_delay = Some(path(value)?),
        "timeout" => options.timeout = Some(value),
        "retention" => options.retention = Some(value),
        "tags" => options.tags = tags(value)?,
        _ => {
            let message = format!("`{name}` is not an option of a job; there are {KNOWN}");
            return Err(Error::new_spanned(&pair.path, message));
        }
    }
    Ok(())
}

fn name_text(value: Expr) -> Result<LitStr> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if !text.value().is_empty() => Ok(text),
        other => Err(Error::new_spanned(other, "a name in quotes is expected here, as in `\"mail\"`")),
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
    match value {
        Expr::Array(array) => array.elems.into_iter().map(name_text).collect(),
        other => Err(Error::new_spanned(other, "a list of names is expected here, as in `[\"a\", \"b\"]`")),
    }
}
