//! Lifetimes in the types of parameters: an argument has none, and what a server provides lives as long as
//! the server does.
//!
//! Signatures inside a type (`fn(&str)`, `dyn Fn(&str)`, `for<'a> …`) are left alone: their lifetimes belong
//! to the calls that are made through them.

use syn::visit_mut::{VisitMut, visit_trait_bound_mut, visit_type_reference_mut};
use syn::{Ident, Lifetime, ParenthesizedGenericArguments, TraitBound, Type, TypeFnPtr, TypeReference};

/// Whether the type borrows from something that may end.
pub(crate) fn borrows(ty: &Type) -> bool {
    let mut statics = Statics::default();
    statics.visit_type_mut(&mut ty.clone());
    statics.changed
}

/// The type with every lifetime made `'static`.
pub(crate) fn lengthened(mut ty: Type) -> Type {
    Statics::default().visit_type_mut(&mut ty);
    ty
}

#[derive(Default)]
struct Statics {
    changed: bool,
}

impl VisitMut for Statics {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident != "static" {
            lifetime.ident = Ident::new("static", lifetime.ident.span());
            self.changed = true;
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        if reference.lifetime.is_none() {
            reference.lifetime = Some(Lifetime::new("'static", reference.and_token.span));
            self.changed = true;
        }
        visit_type_reference_mut(self, reference);
    }

    fn visit_trait_bound_mut(&mut self, bound: &mut TraitBound) {
        if bound.lifetimes.is_none() {
            visit_trait_bound_mut(self, bound);
        }
    }

    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {}
}

#[cfg(test)]
mod tests {
    use super::{borrows, lengthened};
    use quote::quote;

    fn ty(text: &str) -> syn::Type {
        syn::parse_str(text).unwrap()
    }

    #[test]
    fn a_type_borrows_if_a_lifetime_in_it_may_end() {
        for borrowing in ["&str", "Vec<&'a str>", "Cow<'_, str>", "Option<&'static Box<dyn T + 'a>>"] {
            assert!(borrows(&ty(borrowing)), "{borrowing}");
        }
        for owned in
            ["String", "Cow<'static, str>", "fn(&str) -> u8", "Box<dyn Fn(&str)>", "dyn for<'a> T<'a>"]
        {
            assert!(!borrows(&ty(owned)), "{owned}");
        }
    }

    #[test]
    fn a_lengthened_type_is_static_outside_signatures() {
        let long = lengthened(ty("Pool<'a, &mut T, fn(&str), dyn for<'b> F<'b>>"));
        let expected = ty("Pool<'static, &'static mut T, fn(&str), dyn for<'b> F<'b>>");
        assert_eq!(quote!(#long).to_string(), quote!(#expected).to_string());
    }
}
