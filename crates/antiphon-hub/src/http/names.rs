//! What speakers are called here, whatever they call themselves.

use std::sync::Arc;

use antiphon_api::{ErrorBody, ErrorCode};
use antiphon_base::SpeakerId;
use antiphon_proto::session::message::is_name;

use super::access::written;
use super::{Refused, Shared, groups};

/// Calls the connected speaker `name` otherwise, for good: its new name.
///
/// # Errors
/// No name, one that is taken, an unknown speaker, or it cannot be kept; nothing has changed then.
pub async fn rename(shared: &Arc<Shared>, name: String, new: String) -> Result<String, Refused> {
    if !is_name(&new) {
        let message = format!(
            "{new:?} is no name: use 1 to 63 bytes without control characters, and no space at either end"
        );
        return Err(ErrorBody::new(ErrorCode::BadRequest, message).into());
    }
    let (old, asked) = (name.clone(), new.clone());
    let id = shared.media.ask(move |core| core.rename(&old, &asked)).await??;
    if let Err(error) = keep(shared, id, name.clone(), new.clone()).await {
        // Nobody took the old name in so short a time, or it is called as it calls itself when it comes back.
        let _ = shared.media.ask(move |core| core.rename(&new, &name)).await?;
        return Err(error.into());
    }
    groups::tell(shared);
    Ok(new)
}

async fn keep(shared: &Arc<Shared>, id: SpeakerId, old: String, new: String) -> Result<(), ErrorBody> {
    if shared.store.is_name_of_another(id, &new) {
        let message = format!("a speaker that is away is called {new:?}: choose another name");
        return Err(ErrorBody::new(ErrorCode::Conflict, message));
    }
    written(shared, move |store| store.rename(id, &old, &new)).await
}
