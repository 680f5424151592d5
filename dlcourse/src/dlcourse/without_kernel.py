"""What a reader sees where no kernel answers: in an exported page, in a saved notebook, and after a restart.

Figures, predictions and exercises are put out twice: as HTML that needs nothing but a browser, and as a widget. Every page
shows the first one. The widget carries the style that hides it, so that it goes exactly where the widget is really drawn,
and comes back where the widget turns out to be without a kernel. No script is needed, and none is allowed on most sites.
"""

import html
import os
import uuid
from collections.abc import Sequence

import ipywidgets as widgets

from dlcourse import notebook

TO_MOVE = "This is a still picture. Run this cell again, after the cells above it, to make it live."
TO_ANSWER = "To answer, run this cell again, after the cells above it."
TO_CHECK = "To check your function, run this cell again, after the cells above it."
GONE = "The kernel has stopped or was restarted, and nothing here answers. Run this cell again, after the cells above it."

# ipywidgets gives the class jupyter-widgets-disconnected to a view whose kernel restarts, and to one that never had any.
# .jp-NotebookPanel is JupyterLab and Notebook 7: there the reader keeps what was on the page. Everywhere else a widget without
# a kernel makes room for the still one. A kernel that is shut down is seen in JupyterLab's toolbar alone, which says the same
# for a moment when a connection comes back: hence the two seconds. :has() stands where nothing moves, neither at the root
# nor at the notebook, since each frame of a run would be looked through: a lecture has twenty of these.
WIDGET_STYLE = """<style>
.dlcourse-still-%(token)s, .dlcourse-gone { display: none }
.dlcourse-live-%(token)s.jupyter-widgets-disconnected > .dlcourse-gone { display: block; height: auto }
.dlcourse-live-%(token)s.jupyter-widgets-disconnected .jupyter-button,
.dlcourse-live-%(token)s.jupyter-widgets-disconnected::before,
.dlcourse-live-%(token)s .jupyter-widgets-disconnected::before { display: none }
.dlcourse-live-%(token)s.jupyter-widgets-disconnected :is(input, select, textarea, .slider-container) {
  opacity: .5; pointer-events: none }
.dlcourse-live-%(token)s.jupyter-widgets-disconnected:not(.jp-NotebookPanel *) { display: none }
body:is(.jp-Notebook, :not([data-jp-theme-name])):has(.dlcourse-live-%(token)s.jupyter-widgets-disconnected)
  .dlcourse-still-%(token)s { display: block }
.jp-NotebookPanel-toolbar:has(.jp-Notebook-ExecutionIndicator:is([data-status=unknown], [data-status=dead])) ~ *
  .dlcourse-live-%(token)s:not(.jupyter-widgets-disconnected) > .dlcourse-gone {
  display: block; height: auto; animation: dlcourse-wait 2s }
.dlcourse-live .dlcourse-live > .dlcourse-gone { display: none !important }
@keyframes dlcourse-wait { from, to { height: 0; min-height: 0; margin: 0; visibility: hidden } }
</style>"""

# Reasons are attributes that the style shows: sites that drop <details>, as GitHub does in notebooks, drop styles too, and a
# text would stand there openly. Of the other rules one hides what JupyterLab says below the still one of a saved notebook,
# that it does not find the widget's model, and the rest fold the code of folded cells where nbconvert prints it: in its own
# page, in which an input can be focused, and in the older one that nbviewer shows.
STILL_STYLE = """<style>
.dlcourse-why::after { content: attr(title) }
.dlcourse-why > span { display: none }
.dlcourse-still summary { display: list-item; cursor: pointer }
.jp-OutputArea-child:has(.dlcourse-still) + .jp-OutputArea-child > .jupyter-widgets:not(:has(*)) { display: none }
main > .celltag_folded > .jp-Cell-inputWrapper:not(:focus, :focus-within) { cursor: pointer }
main > .celltag_folded > .jp-Cell-inputWrapper:not(:focus, :focus-within)::before {
  content: "▸ code"; margin-left: var(--jp-cell-prompt-width); font-family: sans-serif; opacity: .7 }
main > .celltag_folded > .jp-Cell-inputWrapper:not(:focus, :focus-within) > .jp-InputArea { display: none }
.code_cell.celltag_folded > .input .input_area { max-height: 1.8em; overflow: auto; resize: vertical }
</style>"""


def everywhere() -> bool:
    """Whether the notebook is run for a site, on which no page will have a kernel."""
    return bool(os.environ.get("DLCOURSE_STATIC"))


def folded(summary: str, reason: str) -> str:
    """HTML of a line that opens to a reason, which is printed nowhere else."""
    why = f'<span class="dlcourse-why" title="{html.escape(reason)}"><span>…</span></span>'
    return f"<details><summary>{html.escape(summary)}</summary>{why}</details>"


class LiveBox(widgets.VBox):
    """A column of widgets that says so when its kernel has gone, and can be put out with a still one in its place.

    Args:
        children: the widgets, the first of them the heading.
    """

    def __init__(self, children: Sequence[widgets.Widget]):
        self.token = uuid.uuid4().hex
        self._published: int | None = None
        style = WIDGET_STYLE % {"token": self.token}
        gone = widgets.HTML(f'{style}<div role="status"><b>{GONE}</b></div>').add_class("dlcourse-gone")
        super().__init__([children[0], gone, *children[1:]])
        self.add_class("dlcourse-live").add_class(f"dlcourse-live-{self.token}")

    def still(self, body: str, sentence: str) -> str:
        """HTML for pages without a kernel, which this widget hides where it is drawn.

        Args:
            body: HTML of the content.
            sentence: what the reader has to do to get the widget.
        """
        sentence = "" if everywhere() else f"<p><i>{html.escape(sentence)}</i></p>"
        return f'{STILL_STYLE}<div class="dlcourse-still dlcourse-still-{self.token}">{body}{sentence}</div>'

    def publish(self, bundle: dict[str, str]) -> None:
        """Put out what pages without a kernel show, and the widget; again in the same run of a cell, renew the first alone.

        Args:
            bundle: MIME type -> content; its HTML comes from `still`.
        """
        from IPython.display import display, update_display

        now = notebook.execution()
        if now is not None and now == self._published:
            update_display(bundle, raw=True, display_id=self.token)
            return
        self._published = now
        display(bundle, raw=True, display_id=self.token)
        if everywhere() or self.comm is None:  # it was closed
            return
        # Without a text VS Code has nothing to fall back on; a longer one would be read twice where no widget is shown.
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        display({"text/plain": "", "application/vnd.jupyter.widget-view+json": view}, raw=True)
