//! What a job function becomes. All paths are absolute, and the user's own tokens keep their spans, so
//! errors point at what the user wrote.
//!
//! The body becomes an associated function of the struct, under its own name: there it is in nobody's scope, so
//! that a job can call itself to be enqueued again, and traces and panics show the name that was written.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Ident, LitStr, Type, Visibility};

use crate::attributes::Options;
use crate::signature::{Function, Parameter, Source};

/// The struct, the calling function, the body, and the implementation of `Job`.
pub(crate) fn expand(options: &Options, function: &Function) -> TokenStream {
    let (parts, name) = (Parts::of(function), &function.item.sig.ident);
    let [structure, caller] = [structure(function, &parts), caller(function, &parts)];
    let (body, implementation) = (body(function, &parts), implementation(options, function));
    let (conditions, allowed) = (&parts.conditions, &parts.allowed);
    quote! {
        #structure
        #caller

        #(#conditions)*
        #(#allowed)*
        impl #name {
            #body
        }

        #(#conditions)*
        #[allow(clippy::all, clippy::pedantic, deprecated)]
        #implementation
    }
}

/// The attributes of the function, by what they belong to.
struct Parts<'f> {
    docs: Vec<&'f Attribute>,
    /// `#[cfg]`: belongs to everything.
    conditions: Vec<&'f Attribute>,
    /// `#[allow]`: belongs to everything.
    allowed: Vec<&'f Attribute>,
    /// `#[deprecated]`: belongs to the call; servers go on running what is stored.
    deprecated: Vec<&'f Attribute>,
    /// Everything else belongs to the body.
    others: Vec<&'f Attribute>,
}

impl<'f> Parts<'f> {
    fn of(function: &'f Function) -> Self {
        let attributes = &function.item.attrs;
        let named = |name| attributes.iter().filter(|one| one.path().is_ident(name)).collect::<Vec<_>>();
        let others = attributes.iter().filter(|one| {
            !["doc", "cfg", "allow", "deprecated"].iter().any(|name| one.path().is_ident(name))
        });
        Self {
            docs: named("doc"),
            conditions: named("cfg"),
            allowed: named("allow"),
            deprecated: named("deprecated"),
            others: others.collect(),
        }
    }
}

/// The arguments, as fields.
fn structure(function: &Function, parts: &Parts<'_>) -> TokenStream {
    let Parts { docs, conditions, allowed, .. } = parts;
    let (visibility, name) = (&function.item.vis, &function.item.sig.ident);
    let fields = arguments(function).map(|(Parameter { name, conditions, .. }, ty, attributes)| {
        quote!(#(#conditions)* #(#attributes)* #name: #ty,)
    });
    quote! {
        #(#docs)*
        #(#conditions)*
        #(#allowed)*
        #[allow(
            non_camel_case_types, missing_copy_implementations, missing_debug_implementations,
            clippy::all, clippy::pedantic
        )]
        #[derive(::portfire::__private::serde::Serialize, ::portfire::__private::serde::Deserialize)]
        #[serde(crate = "::portfire::__private::serde")]
        #visibility struct #name { #(#fields)* }
    }
}

/// The function that makes a call. A program that only serves the job does not use it.
fn caller(function: &Function, parts: &Parts<'_>) -> TokenStream {
    let Parts { docs, conditions, allowed, deprecated, .. } = parts;
    let (visibility, name) = (&function.item.vis, &function.item.sig.ident);
    let inputs = arguments(function)
        .map(|(Parameter { name, conditions, .. }, ty, _)| quote!(#(#conditions)* #name: #ty,));
    let names = names(function);
    quote! {
        #(#docs)*
        #(#conditions)*
        #(#allowed)*
        #(#deprecated)*
        #[allow(dead_code, clippy::all, clippy::pedantic)]
        #visibility fn #name(#(#inputs)*) -> ::portfire::Call<#name> {
            ::portfire::Job::call(#name { #(#names)* })
        }
    }
}

/// The user's function. The lints that are off complain about what a job must have: owned arguments,
/// borrowed values, `async` to be on the runtime, a `Result` to be able to fail one day.
fn body(function: &Function, parts: &Parts<'_>) -> TokenStream {
    let (mut item, others) = (function.item.clone(), &parts.others);
    item.vis = Visibility::Inherited;
    item.attrs.clear();
    quote! {
        #(#others)*
        #[allow(
            clippy::borrowed_box, clippy::needless_pass_by_value, clippy::ptr_arg, clippy::too_many_arguments,
            clippy::trivially_copy_pass_by_ref, clippy::unnecessary_wraps, clippy::unused_async
        )]
        #item
    }
}

fn implementation(options: &Options, function: &Function) -> TokenStream {
    let name = &function.item.sig.ident;
    let kind = options.kind.clone().unwrap_or_else(|| LitStr::new(&function.plain_name(), name.span()));
    let output = output(function);
    let chosen = chosen(options);
    let (needs, retry_delay, run) = (needs(function), retry_delay(options), run(function));
    quote! {
        impl ::portfire::Job for #name {
            const KIND: &'static str = #kind;
            type Output = #output;

            fn options() -> ::portfire::JobOptions {
                ::portfire::JobOptions::new() #(#chosen)*
            }
            #needs
            #retry_delay
            #run
        }
    }
}

/// What success produces. Spanned as the user's type, so that the compiler points there if it cannot be one.
fn output(function: &Function) -> TokenStream {
    match function.output() {
        None => quote!(()),
        Some(ty) => quote_spanned!(ty.span()=> <#ty as ::portfire::__private::IntoAttempt>::Output),
    }
}

/// The parameters that are stored, with the types and attributes of their fields.
fn arguments(function: &Function) -> impl Iterator<Item = (&Parameter, &Type, &[Attribute])> {
    function.parameters.iter().filter_map(|parameter| match &parameter.source {
        Source::Argument(ty, attributes) => Some((parameter, &**ty, &**attributes)),
        _ => None,
    })
}

/// The names of the arguments, as they stand between the braces of the struct.
fn names(function: &Function) -> Vec<TokenStream> {
    let named = arguments(function);
    named.map(|(Parameter { name, conditions, .. }, ..)| quote!(#(#conditions)* #name,)).collect()
}

fn chosen(options: &Options) -> Vec<TokenStream> {
    let Options { queue, priority, attempts, backoff, timeout, retention, tags, .. } = options;
    let mut chosen = Vec::new();
    chosen.extend(queue.iter().map(|queue| quote!(.queue(#queue))));
    chosen.extend(priority.iter().map(|priority| quote!(.priority(#priority))));
    chosen.extend(attempts.iter().map(|attempts| quote!(.attempts(#attempts))));
    chosen.extend(backoff.iter().map(|backoff| quote!(.backoff(#backoff))));
    chosen.extend(timeout.iter().map(|timeout| quote!(.timeout(#timeout))));
    chosen.extend(retention.iter().map(|retention| quote!(.retention(#retention))));
    chosen.extend(tags.iter().map(|tag| quote!(.tag(#tag))));
    chosen
}

fn needs(function: &Function) -> TokenStream {
    let needs = function.parameters.iter().filter_map(|parameter| match &parameter.source {
        Source::Shared(ty) | Source::MadeMut(ty) | Source::Made(ty) => {
            let conditions = &parameter.conditions;
            Some(quote!(#(#conditions)* ::portfire::Need::of::<#ty>(),))
        }
        Source::Argument(..) | Source::Context => None,
    });
    quote! {
        fn needs() -> ::std::vec::Vec<::portfire::Need> {
            <[::portfire::Need]>::to_vec(&[#(#needs)*])
        }
    }
}

fn retry_delay(options: &Options) -> Option<TokenStream> {
    let path = options.retry_delay.as_ref()?;
    Some(quote! {
        fn retry_delay(retry: u32, error: &::portfire::JobError) -> ::core::option::Option<::core::time::Duration> {
            #path(retry, error)
        }
    })
}

fn run(function: &Function) -> TokenStream {
    let (names, gathered) = (names(function), function.parameters.iter().filter_map(gather));
    let (calls, output) = (calls(function), output(function));
    let called = if function.is_async() {
        quote!(#calls)
    } else {
        quote!(__portfire_ctx.blocking(move |__portfire_ctx| { #calls }).await)
    };
    quote! {
        #[allow(unused_variables, unused_mut, unreachable_code)]
        async fn run(
            self,
            __portfire_ctx: ::portfire::JobContext,
        ) -> ::core::result::Result<#output, ::portfire::JobError> {
            let Self { #(#names)* } = self;
            #(#gathered)*
            #called
        }
    }
}

/// Takes a parameter's value from the server.
fn gather(Parameter { name, source, conditions }: &Parameter) -> Option<TokenStream> {
    match source {
        Source::Shared(ty) => Some(quote!(#(#conditions)* let #name = __portfire_ctx.value::<#ty>().await?;)),
        Source::MadeMut(ty) | Source::Made(ty) => {
            Some(quote!(#(#conditions)* let mut #name = __portfire_ctx.make::<#ty>().await?;))
        }
        Source::Argument(..) | Source::Context => None,
    }
}

/// The call of the user's function: one for each set of conditional parameters, because an argument of a
/// call cannot have `#[cfg]`.
fn calls(function: &Function) -> TokenStream {
    let is_conditional = |parameter: &&Parameter| !parameter.conditions.is_empty();
    let conditional: Vec<_> = function.parameters.iter().filter(is_conditional).collect();
    if conditional.is_empty() {
        return call(function, &[]);
    }
    let sets = 0..1_u32 << conditional.len();
    let calls = sets.map(|set| {
        let (mut absent, mut holds) = (Vec::new(), Vec::new());
        for (index, parameter) in conditional.iter().enumerate() {
            let predicates = parameter.conditions.iter().filter_map(|one| one.meta.require_list().ok());
            let predicates = predicates.map(|list| &list.tokens);
            if set & (1 << index) == 0 {
                absent.push(&parameter.name);
                holds.push(quote!(not(all(#(#predicates),*))));
            } else {
                holds.push(quote!(all(#(#predicates),*)));
            }
        }
        let call = call(function, &absent);
        quote!(#[cfg(all(#(#holds),*))] { #call })
    });
    quote!(#(#calls)*)
}

/// The call without the parameters that are absent.
fn call(function: &Function, absent: &[&Ident]) -> TokenStream {
    let name = &function.item.sig.ident;
    let present = function.parameters.iter().filter(|parameter| !absent.contains(&&parameter.name));
    let passed = present.map(pass);
    let wait = function.is_async().then(|| quote!(.await));
    let span = function.output().map_or_else(|| name.span(), Spanned::span);
    quote_spanned!(span=> ::portfire::__private::IntoAttempt::into_attempt(Self::#name(#(#passed),*) #wait))
}

/// How a parameter is handed to the user's function.
fn pass(parameter: &Parameter) -> TokenStream {
    let name = &parameter.name;
    match &parameter.source {
        Source::Argument(..) | Source::Made(_) => quote!(#name),
        Source::Shared(_) => quote!(&*#name),
        Source::MadeMut(_) => quote!(&mut #name),
        Source::Context => quote!(&__portfire_ctx),
    }
}
