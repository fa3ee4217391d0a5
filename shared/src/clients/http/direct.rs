//! Sends requests to addresses that the operator configured.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Answer, Call, Http, Result, Sender, builder};
use crate::{clients::Failure, clock::Clock, ids::Random};

/// Sends to any address. Making one reads the certificates of the system and connects to nothing.
pub struct Direct {
    sender: Sender,
    client: reqwest::Result<reqwest::Client>,
}

impl Direct {
    /// Makes a sender.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { sender: Sender { clock, random, is_traced: true }, client: builder().build() }
    }
}

impl Http for Direct {
    fn send<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(async move {
            match &self.client {
                Ok(client) => self.sender.send(client, call).await,
                Err(error) => Err(Failure::Unreachable(error.to_string().into())),
            }
        })
    }
}
