//! What the signature of a handler says: which parameters and body it takes, and what it answers. A handler
//! cannot be in a route table without saying so.

use std::future::Future;

use axum::{
    extract::{FromRequest, FromRequestParts, State},
    handler::Handler,
    http::HeaderMap,
    response::{IntoResponse, NoContent},
};
use schemars::JsonSchema;

use super::{App, Body, CurrentUser, Operation, Params, PathId, Reply, description::Shared, upload::Form};
use crate::Result;

/// An argument of a handler.
pub trait Input {
    /// Says what of a request it is.
    fn describe(operation: &mut Operation<'_>);
}

/// What a handler returns.
pub trait Answer: IntoResponse {
    /// Says what a client gets.
    fn describe(operation: &mut Operation<'_>);
}

/// A handler whose arguments and answer describe themselves.
pub trait Endpoint<T>: Handler<T, App> {
    /// Says what the handler takes and answers.
    fn describe(operation: &mut Operation<'_>);
}

/// Implements [`Endpoint`] for the functions that are [`Handler`]s, under the bounds of axum.
macro_rules! endpoints {
    ($([$($input:ident)*] $last:ident;)*) => {$(
        impl<F, Fut, A, M, $($input,)* $last> Endpoint<(M, $($input,)* $last,)> for F
        where
            F: FnOnce($($input,)* $last,) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = A> + Send,
            A: Answer,
            $($input: Input + FromRequestParts<App> + Send,)*
            $last: Input + FromRequest<App, M> + Send,
        {
            fn describe(operation: &mut Operation<'_>) {
                $($input::describe(operation);)*
                $last::describe(operation);
                A::describe(operation);
            }
        }
    )*};
}

endpoints! {
    [] I1;
    [I1] I2;
    [I1 I2] I3;
    [I1 I2 I3] I4;
    [I1 I2 I3 I4] I5;
}

impl<F, Fut, A> Endpoint<((),)> for F
where
    F: FnOnce() -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = A> + Send,
    A: Answer,
{
    fn describe(operation: &mut Operation<'_>) {
        A::describe(operation);
    }
}

impl Input for State<App> {
    fn describe(_: &mut Operation<'_>) {}
}

/// Said by the access of the route.
impl Input for CurrentUser {
    fn describe(_: &mut Operation<'_>) {}
}

/// Said by the answer that looks at them.
impl Input for HeaderMap {
    fn describe(_: &mut Operation<'_>) {}
}

impl<T: JsonSchema> Input for PathId<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.path_parameter::<T>();
    }
}

impl<T: JsonSchema> Input for Params<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.query::<T>();
    }
}

impl<T: JsonSchema, const MAX_BYTES: usize> Input for Body<T, MAX_BYTES> {
    fn describe(operation: &mut Operation<'_>) {
        operation.body::<T>(&["application/json", "application/x-www-form-urlencoded"]);
        operation.shared(Shared::Unreadable);
        operation.shared(Shared::TooLarge);
    }
}

impl<T: JsonSchema> Input for Form<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.body::<T>(&["multipart/form-data"]);
    }
}

impl<T: JsonSchema + serde::Serialize> Answer for Reply<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.payload::<T>(200);
    }
}

impl<A: Answer> Answer for Result<A> {
    fn describe(operation: &mut Operation<'_>) {
        A::describe(operation);
        operation.refusal(200);
        operation.shared(Shared::SchemaMismatch);
    }
}

impl Answer for NoContent {
    fn describe(operation: &mut Operation<'_>) {
        operation.answer(204, "Done; there is nothing to say.");
    }
}
