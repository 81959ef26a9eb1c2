//! The function under `#[job]`: which parameters are arguments, which come from the server.

use syn::spanned::Spanned;
use syn::{Attribute, Error, FnArg, Ident, ItemFn, Pat, PatType, Result, ReturnType, Type};

/// A function that can be a job.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) parameters: Vec<Parameter>,
}

/// One parameter, in the order of the signature.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    pub(crate) source: Source,
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
    pub(crate) fn new(mut item: ItemFn) -> Result<Self> {
        check_signature(&item)?;
        let mut errors: Option<Error> = None;
        let mut parameters = Vec::new();
        for input in &mut item.sig.inputs {
            match parameter(input) {
                Ok(parameter) => parameters.push(parameter),
                Err(error) => match &mut errors {
                    Some(all) => all.combine(error),
                    None => errors = Some(error),
                },
            }
        }
        errors.map_or(Ok(Self { item, parameters }), Err)
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
}

fn check_signature(item: &ItemFn) -> Result<()> {
    let signature = &item.sig;
    if !signature.generics.params.is_empty() {
        let message = "a job is stored and run by name, so it cannot be generic";
        return Err(Error::new_spanned(&signature.generics, message));
    }
    if let Some(token) = &signature.constness {
        return Err(Error::new(token.span(), "a job cannot be `const`"));
    }
    if let Some(abi) = &signature.abi {
        return Err(Error::new(abi.span(), "a job is an ordinary Rust function"));
    }
    Ok(())
}

fn parameter(input: &mut FnArg) -> Result<Parameter> {
    let input = match input {
        FnArg::Typed(input) => input,
        FnArg::Receiver(receiver) => {
            let message = "a job is a free function: take what it needs with `#[from]` instead of `self`";
            return Err(Error::new_spanned(receiver, message));
        }
    };
    let Pat::Ident(pattern) = &*input.pat else {
        let message = "arguments are stored by name, so a parameter must be a plain name";
        return Err(Error::new_spanned(&input.pat, message));
    };
    let name = pattern.ident.clone();
    Ok(Parameter { name, source: source(input)? })
}

fn source(input: &mut PatType) -> Result<Source> {
    let before = input.attrs.len();
    input.attrs.retain(|attribute| !attribute.path().is_ident("from"));
    let injected = input.attrs.len() < before;
    match (&*input.ty, injected) {
        (Type::Reference(reference), _) if is_context(&reference.elem) => Ok(Source::Context),
        (Type::Reference(reference), true) if reference.mutability.is_some() => {
            Ok(Source::MadeMut(reference.elem.clone()))
        }
        (Type::Reference(reference), true) => Ok(Source::Shared(reference.elem.clone())),
        (_, true) => Ok(Source::Made(input.ty.clone())),
        (Type::Reference(reference), false) => Err(Error::new_spanned(
            reference,
            "arguments are stored as JSON, so they must be owned, as `String` instead of `&str`; mark the \
             parameter `#[from]` if the server provides it",
        )),
        (Type::ImplTrait(ty), false) => {
            Err(Error::new_spanned(ty, "arguments are stored as JSON, so their type must be named"))
        }
        (_, false) => Ok(Source::Argument(input.ty.clone(), std::mem::take(&mut input.attrs))),
    }
}

fn is_context(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "JobContext"))
}
