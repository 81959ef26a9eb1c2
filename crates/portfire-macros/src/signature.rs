//! The function under `#[job]`: which parameters are arguments, which come from the server.
//!
//! Everything that is wrong is said at once, each where it stands.

use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, GenericParam, Ident, ItemFn, Pat, PatType, Result, ReturnType, Safety, Type,
    TypeReference,
};

use crate::faults::Faults;
use crate::lifetimes::{borrows, lengthened};
use crate::limits::fault_of_name;

/// Most parameters with `#[cfg]`: each doubles the calls that are written.
const CONDITIONS_MAX: usize = 4;

/// A function that can be a job.
pub(crate) struct Function {
    /// The function as its body needs it: without `#[from]` and the attributes of fields.
    pub(crate) item: ItemFn,
    pub(crate) parameters: Vec<Parameter>,
}

/// One parameter, in the order of the signature.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    pub(crate) source: Source,
    /// Its `#[cfg]` attributes.
    pub(crate) conditions: Vec<Attribute>,
}

/// Where a parameter's value comes from.
pub(crate) enum Source {
    /// Stored with the job: the type and the attributes of its field.
    Argument(Box<Type>, Vec<Attribute>),
    /// Borrowed from the server.
    Shared(Box<Type>),
    /// Made for the attempt, lent mutably.
    MadeMut(Box<Type>),
    /// Made for the attempt, given away.
    Made(Box<Type>),
    /// The attempt's context.
    Context,
}

impl Function {
    /// Reads the item under the attribute.
    pub(crate) fn parse(item: TokenStream) -> Result<Self> {
        let Ok(item) = syn::parse2::<ItemFn>(item.clone()) else { return Err(not_a_function(item)) };
        Self::new(item)
    }

    fn new(mut item: ItemFn) -> Result<Self> {
        let mut faults = Faults::default();
        check_qualifiers(&item, &mut faults);
        check_output(&item, &mut faults);
        let parameters: Vec<_> =
            item.sig.inputs.iter_mut().filter_map(|input| faults.of(parameter(input))).collect();
        check_contexts(&parameters, &mut faults);
        check_conditions(&parameters, &mut faults);
        faults.or(Self { item, parameters })
    }

    pub(crate) fn is_async(&self) -> bool {
        self.item.sig.asyncness.is_some()
    }

    pub(crate) fn output(&self) -> Option<&Type> {
        match &self.item.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, output) => Some(output),
        }
    }

    /// The function's name as text, without `r#`.
    pub(crate) fn plain_name(&self) -> String {
        self.item.sig.ident.to_string().trim_start_matches("r#").to_owned()
    }
}

/// A function that does not parse is the compiler's to explain; anything else has the wrong attribute.
fn not_a_function(item: TokenStream) -> Error {
    match syn::parse2::<syn::Item>(item.clone()) {
        Ok(syn::Item::Fn(_)) | Err(_) => match syn::parse2::<ItemFn>(item) {
            Err(error) => error,
            Ok(function) => Error::new_spanned(function.sig.ident, "this function cannot be read"),
        },
        Ok(other) => Error::new_spanned(
            other,
            "`#[job]` goes on a function, as in `async fn send(to: String) -> Result<(), JobError>`; for a \
             type of your own write `impl Job for …` instead",
        ),
    }
}

fn check_qualifiers(item: &ItemFn, faults: &mut Faults) {
    let signature = &item.sig;
    for parameter in &signature.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            let message =
                "a job is stored and run by name, so it cannot be generic; write one job for each type";
            faults.add(Error::new_spanned(parameter, message));
        }
    }
    if let Some(token) = &signature.constness {
        faults.add(Error::new(token.span(), "a job runs later, on a server; it cannot be `const`"));
    }
    if let Safety::Unsafe(token) = &signature.safety {
        let message = "a server cannot keep the promises that an `unsafe` function asks for; \
                       use an `unsafe` block inside a safe function";
        faults.add(Error::new(token.span(), message));
    }
    if let Some(abi) = &signature.abi {
        faults.add(Error::new_spanned(abi, "a job is an ordinary Rust function; remove `extern`"));
    }
    if let Some(fault) = fault_of_name(&signature.ident.to_string()) {
        let message = format!("the function's name is the job's kind, and it {fault}; `kind` can be shorter");
        faults.add(Error::new_spanned(&signature.ident, message));
    }
}

fn check_output(item: &ItemFn, faults: &mut Faults) {
    let ReturnType::Type(_, output) = &item.sig.output else { return };
    match bare(output) {
        Type::ImplTrait(_) => {
            let message = "a result is stored as JSON, so its type must have a name; a job returns nothing, or a `Result`";
            faults.add(Error::new_spanned(output, message));
        }
        output if is_no_result(output) => {
            let message = "a job returns nothing, or a `Result` that says whether the attempt succeeded";
            faults.add(Error::new_spanned(output, message));
        }
        _ => {}
    }
}

/// Whether the type is certainly no `Result`; of others the compiler knows more.
fn is_no_result(ty: &Type) -> bool {
    let others = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64",
        "u128", "usize", "Box", "Option", "String", "Vec",
    ];
    match ty {
        Type::Path(path) => {
            path.path.segments.last().is_some_and(|last| others.iter().any(|other| last.ident == other))
        }
        Type::Tuple(tuple) => !tuple.elems.is_empty(),
        Type::Array(_) | Type::Never(_) | Type::Ptr(_) | Type::Reference(_) | Type::Slice(_) => true,
        _ => false,
    }
}

fn check_contexts(parameters: &[Parameter], faults: &mut Faults) {
    let contexts = parameters.iter().filter(|parameter| matches!(parameter.source, Source::Context));
    for second in contexts.skip(1) {
        let message = "there is one context for an attempt, and it is taken already; remove this parameter";
        faults.add(Error::new_spanned(&second.name, message));
    }
}

fn check_conditions(parameters: &[Parameter], faults: &mut Faults) {
    let conditional = parameters.iter().filter(|parameter| !parameter.conditions.is_empty());
    for excess in conditional.skip(CONDITIONS_MAX) {
        let message = format!("at most {CONDITIONS_MAX} parameters of a job may have `#[cfg]`");
        faults.add(Error::new_spanned(&excess.name, message));
    }
}

fn parameter(input: &mut FnArg) -> Result<Parameter> {
    let input = match input {
        FnArg::Typed(input) => input,
        FnArg::Receiver(receiver) => {
            let message = "a job is a free function: take what it needs with `#[from]` instead of `self`";
            return Err(Error::new_spanned(receiver, message));
        }
    };
    let name = match &*input.pat {
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => pattern.ident.clone(),
        pattern => {
            let message =
                "arguments are stored by name, so a parameter must be a plain name, as in `user_id: i64`";
            return Err(Error::new_spanned(pattern, message));
        }
    };
    let conditions = input.attrs.iter().filter(|attribute| is(attribute, &["cfg"])).cloned().collect();
    Ok(Parameter { name, source: source(input)?, conditions })
}

fn source(input: &mut PatType) -> Result<Source> {
    let injected = take_from(input)?;
    let ty = bare(&input.ty).clone();
    if let Some(context) = context(&ty)? {
        return Ok(context);
    }
    if injected {
        refuse_field_attributes(input)?;
        return Ok(provided(ty));
    }
    check_argument(&ty)?;
    let lints = ["allow", "expect", "warn", "deny", "forbid", "cfg"];
    let (kept, of_field) = std::mem::take(&mut input.attrs).into_iter().partition(|one| is(one, &lints));
    input.attrs = kept;
    Ok(Source::Argument(input.ty.clone(), of_field))
}

/// Takes `#[from]` off the parameter; says whether it was there.
fn take_from(input: &mut PatType) -> Result<bool> {
    let (from, others): (Vec<_>, _) =
        std::mem::take(&mut input.attrs).into_iter().partition(|attribute| is(attribute, &["from"]));
    input.attrs = others;
    for attribute in &from {
        if attribute.meta.require_path_only().is_err() {
            return Err(Error::new_spanned(
                attribute,
                "`#[from]` takes nothing; the type says what is meant",
            ));
        }
    }
    Ok(!from.is_empty())
}

fn refuse_field_attributes(input: &PatType) -> Result<()> {
    match input.attrs.iter().find(|attribute| is(attribute, &["serde"])) {
        None => Ok(()),
        Some(serde) => {
            let message = "a value from the server is not stored, so `#[serde(…)]` means nothing here";
            Err(Error::new_spanned(serde, message))
        }
    }
}

fn provided(ty: Type) -> Source {
    match ty {
        Type::Reference(TypeReference { mutability: Some(_), elem, .. }) => {
            Source::MadeMut(Box::new(lengthened(*elem)))
        }
        Type::Reference(TypeReference { elem, .. }) => Source::Shared(Box::new(lengthened(*elem))),
        ty => Source::Made(Box::new(lengthened(ty))),
    }
}

/// The context, if the type is that of one.
fn context(ty: &Type) -> Result<Option<Source>> {
    let message = "the context is taken as `&JobContext`; it can be cloned";
    match ty {
        Type::Reference(reference) if is_context(&reference.elem) && reference.mutability.is_none() => {
            Ok(Some(Source::Context))
        }
        Type::Reference(reference) if is_context(&reference.elem) => Err(Error::new_spanned(ty, message)),
        ty if is_context(ty) => Err(Error::new_spanned(ty, message)),
        _ => Ok(None),
    }
}

fn check_argument(ty: &Type) -> Result<()> {
    if matches!(ty, Type::ImplTrait(_)) {
        return Err(Error::new_spanned(ty, "arguments are stored as JSON, so their type must have a name"));
    }
    if matches!(ty, Type::Reference(_)) || borrows(ty) {
        let message = "arguments are stored as JSON, so they must be owned, as `String` instead of `&str`; mark \
                       the parameter `#[from]` if the server provides it";
        return Err(Error::new_spanned(ty, message));
    }
    Ok(())
}

/// The type without the invisible group that a `macro_rules` fragment is wrapped in.
fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}

fn is_context(ty: &Type) -> bool {
    let ty = bare(ty);
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "JobContext"))
}

fn is(attribute: &Attribute, names: &[&str]) -> bool {
    names.iter().any(|name| attribute.path().is_ident(name))
}
