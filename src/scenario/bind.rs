//! Binding: a compiled scenario gets its target.
//!
//! A scenario is compiled once, before it is known where its requests go: the address of the embedded stand-in is known
//! only when it runs. The templates keep the places of the target's parts open; binding fills them, so that a bound
//! template is the same bytes in the same segments as one that was compiled for that target.

use super::members;
use super::members::Author;
use super::model::{Credentials, Scenario};

/// Longest base path and authority together, in bytes: a URI of the `http` crate is no longer.
const TARGET_BYTES_MAX: usize = 64 * 1024;

impl Scenario {
    /// Sends the requests for no named target to this one: `authority` is the value of the `Host` field, unless the scenario has its own;
    /// `base_path` is put before every path, and is empty, or begins with `/` and does not end in one. A bound scenario
    /// may be bound again.
    ///
    /// # Panics
    /// When the two are longer than 64 KiB together, which no URI is.
    #[must_use]
    pub fn bind(mut self, authority: &str, base_path: &str) -> Self {
        assert!(authority.len() + base_path.len() <= TARGET_BYTES_MAX);
        for step in self.steps.iter_mut().filter(|step| step.target == 0) {
            step.template.bind(authority, base_path);
        }
        if let Some(cookies) = &mut self.cookies {
            cookies.bind(authority);
        }
        for extract in self.steps.iter_mut().flat_map(|step| &mut step.extract) {
            if let Some(target) = &mut extract.link {
                target.bind(authority);
            }
        }
        for follow in self
            .steps
            .iter_mut()
            .filter_map(|step| step.follow.as_mut())
        {
            follow.target.bind(authority);
        }
        let bound = |once: Box<Self>| Box::new(once.bind(authority, base_path));
        self.setup = self.setup.map(bound);
        self.teardown = self.teardown.map(bound);
        self.secrets.add_members(authority);
        self.secrets.add_members(base_path);
        if members::mask(base_path, Author::Other) != base_path {
            let carries = self.metrics.iter_mut().map(|metric| &mut metric.carries);
            for carries in carries.filter(|it| it.credentials == Credentials::None) {
                carries.credentials = Credentials::Target;
            }
        }
        self
    }

    /// Sends the requests for named targets there.
    #[must_use]
    pub(super) fn bind_named(mut self) -> Self {
        for (number, named) in (1..).zip(&self.targets) {
            let (authority, base_path) = (&named.target.authority, named.target.base_path());
            for step in &mut self.steps {
                if step.target == number {
                    step.template.bind(authority, base_path);
                }
                if let Some(elsewhere) = &mut step.elsewhere {
                    elsewhere.templates[usize::from(number) - 1].bind(authority, base_path);
                }
            }
            self.secrets.add_members(authority);
            self.secrets.add_members(base_path);
        }
        self
    }

    /// Sends all requests to the target of the run, as a calibration does. To be bound afterwards.
    #[must_use]
    pub fn to_one_target(mut self) -> Self {
        self.targets.clear();
        for step in &mut self.steps {
            step.target = 0;
            step.elsewhere = None;
        }
        self
    }

    /// Tells a bound scenario whether its connections are encrypted.
    #[must_use]
    pub fn over_tls(mut self, is_encrypted: bool) -> Self {
        let told = |once: Box<Self>| Box::new(once.over_tls(is_encrypted));
        self.setup = self.setup.map(told);
        self.teardown = self.teardown.map(told);
        if let Some(cookies) = &mut self.cookies {
            cookies.set_secure(is_encrypted);
        }
        for extract in self.steps.iter_mut().flat_map(|step| &mut step.extract) {
            if let Some(target) = &mut extract.link {
                target.set_secure(is_encrypted);
            }
        }
        for follow in self
            .steps
            .iter_mut()
            .filter_map(|step| step.follow.as_mut())
        {
            follow.target.set_secure(is_encrypted);
        }
        self
    }
}
