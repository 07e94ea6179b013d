//! Where a list goes on: sealed, so that nobody makes one up, and good for one caller and one question.

use faregate_edge::{page, secrets::SecretName};
use lambda_http::Request;

use crate::{Gate, management::Refusal};

impl Gate {
    /// The cursor that names `text` in the list that `question` names: with whom it is shown to, and what it is narrowed to.
    ///
    /// # Errors
    /// A failure when the secret could not be read.
    pub async fn seal_cursor(&self, question: &str, text: &str) -> Result<String, Refusal> {
        let (secrets, now) = (&self.services().secrets, self.services().clock.now());
        Ok(page::sealed_cursor_of(&*secrets.find(SecretName::Seal, now).await?, question, text)?)
    }

    /// What the `cursor` of a request names, if it has one.
    ///
    /// # Errors
    /// 400 where it is none of that list; a failure when the secret could not be read.
    pub async fn open_cursor(&self, request: &Request, question: &str) -> Result<Option<String>, Refusal> {
        let Some(cursor) = page::parameter(request, "cursor")? else { return Ok(None) };
        let (secrets, now) = (&self.services().secrets, self.services().clock.now());
        let opened = page::open_cursor(&*secrets.find(SecretName::Seal, now).await?, question, &cursor);
        if opened.is_some() {
            return Ok(opened);
        }
        // The secret may just have been rotated; asking again is bounded in the secrets' own cache.
        let opened = page::open_cursor(&*secrets.find_fresh(SecretName::Seal, now).await?, question, &cursor);
        Ok(Some(opened.ok_or_else(page::foreign_cursor)?))
    }
}
