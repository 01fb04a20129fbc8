"""Everything a page needs that is made once and kept. The only modules with caches.

All is keyed by text and numbers, and bounded. One lock guards every run of a model: hooks belong to the
module, so a recorded run of one visitor must not see the run of another. What takes long is called through
``app.widgets.waiting.wait_for``, in a thread without a page: such loaders draw nothing, also no spinner.
"""
