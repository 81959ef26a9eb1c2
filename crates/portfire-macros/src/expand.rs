//! What a job function becomes. All paths are absolute, and the user's own tokens keep their spans, so
//! errors point at what the user wrote.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, LitStr};

use crate::attributes::Options;
use crate::signature::{Function, Parameter, Source};

/// The struct, the calling function, and the implementation of `Job`.
pub(crate) fn expand(options: &Options, function: &Function) -> TokenStream {
    let (visibility, name) = (&function.item.vis, &function.item.sig.ident);
    let docs: Vec<_> = function.item.attrs.iter().filter(|attribute| is_doc(attribute)).collect();
    let (fields, names): (Vec<_>, Vec<_>) = function.parameters.iter().filter_map(field).unzip();
    let inputs = function.parameters.iter().filter_map(input);
    let kind = options.kind.clone().unwrap_or_else(|| LitStr::new(&plain(name), name.span()));
    let output = function.output().map_or_else(|| quote!(()), |output| quote!(#output));
    let chosen = chosen(options);
    let (needs, retry_delay, run) = (needs(function), retry_delay(options), run(function, &names));
    quote! {
        #(#docs)*
        #[allow(non_camel_case_types)]
        #[derive(::portfire::__private::serde::Serialize, ::portfire::__private::serde::Deserialize)]
        #[serde(crate = "::portfire::__private::serde")]
        #visibility struct #name { #(#fields,)* }

        #(#docs)*
        #[allow(clippy::too_many_arguments)]
        #visibility fn #name(#(#inputs,)*) -> ::portfire::Call<#name> {
            ::portfire::Job::call(#name { #(#names,)* })
        }

        #[allow(clippy::all, clippy::pedantic)]
        impl ::portfire::Job for #name {
            const KIND: &'static str = #kind;
            type Output = <#output as ::portfire::__private::IntoAttempt>::Output;

            fn options() -> ::portfire::JobOptions {
                ::portfire::JobOptions::new() #(#chosen)*
            }
            #needs
            #retry_delay
            #run
        }
    }
}

fn is_doc(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc")
}

fn plain(name: &syn::Ident) -> String {
    name.to_string().trim_start_matches("r#").to_owned()
}

/// The field of an argument and its name.
fn field(parameter: &Parameter) -> Option<(TokenStream, &syn::Ident)> {
    let Source::Argument(ty, attributes) = &parameter.source else { return None };
    let name = &parameter.name;
    Some((quote!(#(#attributes)* #name: #ty), name))
}

fn input(parameter: &Parameter) -> Option<TokenStream> {
    let Source::Argument(ty, _) = &parameter.source else { return None };
    let name = &parameter.name;
    Some(quote!(#name: #ty))
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
    let types = function.parameters.iter().filter_map(|parameter| match &parameter.source {
        Source::Shared(ty) | Source::MadeMut(ty) | Source::Made(ty) => Some(ty),
        Source::Argument(..) | Source::Context => None,
    });
    quote! {
        fn needs() -> ::std::vec::Vec<::portfire::Need> {
            ::std::vec![#(::portfire::Need::of::<#types>()),*]
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

fn run(function: &Function, arguments: &[&syn::Ident]) -> TokenStream {
    let handler = format_ident!("__portfire_handler");
    let mut inner = function.item.clone();
    inner.vis = syn::Visibility::Inherited;
    inner.attrs.retain(|attribute| !is_doc(attribute));
    inner.sig.ident = handler.clone();
    let gathered = function.parameters.iter().filter_map(gather);
    let passed: Vec<_> = function.parameters.iter().map(pass).collect();
    let called = if function.is_async() {
        quote!(::portfire::__private::IntoAttempt::into_attempt(#handler(#(#passed),*).await))
    } else {
        quote! {
            __portfire_ctx.blocking(move |__portfire_ctx| {
                ::portfire::__private::IntoAttempt::into_attempt(#handler(#(#passed),*))
            }).await
        }
    };
    quote! {
        #[allow(unused_variables, unused_mut, unreachable_code)]
        async fn run(
            self,
            __portfire_ctx: ::portfire::JobContext,
        ) -> ::core::result::Result<Self::Output, ::portfire::JobError> {
            #inner
            let Self { #(#arguments,)* } = self;
            #(#gathered)*
            #called
        }
    }
}

/// Takes a parameter's value from the server.
fn gather(parameter: &Parameter) -> Option<TokenStream> {
    let name = &parameter.name;
    match &parameter.source {
        Source::Shared(ty) => Some(quote!(let #name = __portfire_ctx.value::<#ty>().await?;)),
        Source::MadeMut(ty) | Source::Made(ty) => {
            Some(quote!(let mut #name = __portfire_ctx.make::<#ty>().await?;))
        }
        Source::Argument(..) | Source::Context => None,
    }
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
