//! A word that one gives and another waits for, once: a channel that needs no runtime.
//!
//! Either end may go away at any time. Who waits then hears that nothing will come; a word that nobody took is
//! dropped, and whatever it held is let go by that.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The two ends.
pub(super) fn turn<T>() -> (Teller<T>, Told<T>) {
    let word = Shared(Arc::new(Mutex::new(Word::Awaited(None))));
    (Teller(word.clone()), Told(word))
}

#[derive(Debug)]
enum Word<T> {
    Awaited(Option<Waker>),
    Given(T),
    /// It was taken, or one of the two is gone.
    Over,
}

#[derive(Debug)]
struct Shared<T>(Arc<Mutex<Word<T>>>);

impl<T> Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    fn word(&self) -> MutexGuard<'_, Word<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, word: Word<T>) -> Word<T> {
        std::mem::replace(&mut *self.word(), word)
    }
}

/// Who gives the word.
#[derive(Debug)]
pub(super) struct Teller<T>(Shared<T>);

impl<T> Teller<T> {
    /// Whether nobody waits any more.
    pub(super) fn is_alone(&self) -> bool {
        matches!(*self.0.word(), Word::Over)
    }

    /// Gives the word. If nobody waits for it, it is dropped.
    pub(super) fn tell(self, word: T) {
        let mut place = self.0.word();
        let Word::Awaited(waker) = &mut *place else { return };
        let waker = waker.take();
        *place = Word::Given(word);
        drop(place);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T> Drop for Teller<T> {
    fn drop(&mut self) {
        let mut place = self.0.word();
        let Word::Awaited(waker) = &mut *place else { return };
        let waker = waker.take();
        *place = Word::Over;
        drop(place);
        waker.into_iter().for_each(Waker::wake);
    }
}

/// Who waits for the word; `None` if it will not come.
#[derive(Debug)]
pub(super) struct Told<T>(Shared<T>);

impl<T> Future for Told<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut place = self.0.word();
        if let Word::Awaited(waker) = &mut *place {
            *waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        match std::mem::replace(&mut *place, Word::Over) {
            Word::Given(word) => Poll::Ready(Some(word)),
            Word::Awaited(_) | Word::Over => Poll::Ready(None),
        }
    }
}

impl<T> Drop for Told<T> {
    fn drop(&mut self) {
        // What was given is dropped here, when nothing is locked: it may have to reach for the line.
        drop(self.0.replace(Word::Over));
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::{Future, turn};

    #[test]
    fn a_word_is_heard_once_and_its_absence_too() {
        let mut context = Context::from_waker(Waker::noop());
        let (teller, told) = turn();
        let mut told = pin!(told);
        assert!(!teller.is_alone() && told.as_mut().poll(&mut context).is_pending());
        teller.tell(7);
        assert_eq!(told.as_mut().poll(&mut context), Poll::Ready(Some(7)));
        assert_eq!(told.as_mut().poll(&mut context), Poll::Ready(None));

        let (teller, told) = turn::<u8>();
        drop(teller);
        assert_eq!(pin!(told).poll(&mut context), Poll::Ready(None));
    }

    #[test]
    fn a_word_that_nobody_took_is_dropped() {
        let word = std::rc::Rc::new(());
        let (teller, told) = turn();
        teller.tell(std::rc::Rc::clone(&word));
        drop(told);
        assert_eq!(std::rc::Rc::strong_count(&word), 1);
        let (teller, told) = turn();
        drop(told);
        assert!(teller.is_alone());
        teller.tell(std::rc::Rc::clone(&word));
        assert_eq!(std::rc::Rc::strong_count(&word), 1);
    }
}
