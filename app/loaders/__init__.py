"""Everything that pages compute or load once and cache. The only modules with caches.

Cache keys are text and numbers; every cache is bounded. One lock guards every run of a model: hooks belong
to the module, so a recorded run of one user must not see the run of another. Slow loaders are called through
``app.widgets.waiting.wait_for``, in a thread without a page: they draw nothing, not even a spinner.
"""
