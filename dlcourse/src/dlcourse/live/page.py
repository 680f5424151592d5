"""What a live figure adds to the page that shows it: two panels below each other where it is narrow, and names for controls.

ipywidgets gives sliders neither a name nor the value that stands beside them, and takes no attributes from Python. So the
figure carries one style element, and the script that runs when the element is loaded. Where a front end runs no such script,
all works as it did without it.
"""

import html

# Text of 12 pt, 16.7 pixels in the picture, is then at least 9 pixels high on the page.
LEAST_SCALE = 0.55

STYLE = """
.dlcourse-figure { container-type: inline-size; }
.dlcourse-parts, .dlcourse-narrow { display: none !important; }
@container (max-width: 480px) {
  .dlcourse-figure .widget-inline-hbox { flex-wrap: wrap; height: auto; width: 100% !important; min-width: 0 !important; }
  .dlcourse-figure .widget-inline-hbox > .widget-label { width: auto !important; max-width: 100%; white-space: normal; flex: 0 1 auto; text-align: left; }
  .dlcourse-figure .widget-slider > .widget-label { flex: 0 0 100%; }
  .dlcourse-figure .widget-slider > .slider-container { flex: 1 1 120px; }
}
@media (max-width: 600px) {
  .jp-OutputArea-child:has(.dlcourse-figure) > .jp-OutputPrompt { display: none; }
}
"""

SCRIPT = """
const root = this.closest('.dlcourse-figure');
if (root && !root.dlcourse) {
  root.dlcourse = true;
  const set = (e, key, value) => { if (e.getAttribute(key) !== value) e.setAttribute(key, value); };
  const mend = () => {
    root.querySelectorAll('.widget-slider').forEach(slider => {
      const label = slider.querySelector('.widget-label'), shown = slider.querySelector('.widget-readout');
      const name = label ? label.textContent.trim() : '';
      slider.querySelectorAll('.noUi-handle').forEach(handle => {
        set(handle, 'aria-label', name);
        if (shown) set(handle, 'aria-valuetext', shown.textContent);
      });
      if (shown && shown.isContentEditable) { set(shown, 'role', 'textbox'); set(shown, 'aria-label', name + ', type a value'); }
    });
    root.querySelectorAll('select, input').forEach(e => set(e, 'data-lm-suppress-shortcuts', 'true'));
    root.querySelectorAll('img').forEach(e => set(e, 'alt', root.dlcourseTitle));
  };
  root.dlcourseTitle = this.dataset.title;
  mend();
  const limit = Number(this.dataset.limit);
  new ResizeObserver(() => {
    const button = root.querySelector('.dlcourse-narrow'), width = root.clientWidth;
    if (button && width && button.classList.contains('mod-active') !== (width < limit)) button.click();
  }).observe(root);
  new MutationObserver(mend).observe(
    root, {subtree: true, childList: true, attributes: true, attributeFilter: ['aria-valuetext']});
}
"""


def style(name: str, title: str, size: tuple[int, int], parts: list[tuple[int, int, int, int]]) -> str:
    """The style element of one figure.

    Args:
        name: a class that this figure has alone.
        title: the figure's, by which its pictures are called.
        size: width and height of the picture in pixels.
        parts: left, top, right and bottom of the parts that may stand below each other, in pixels from the top left.
    """
    width = size[0]
    rules = [STYLE]
    for number, (left, top, right, bottom) in enumerate(parts):
        across, down = right - left, bottom - top
        rules.append(
            f".{name} .dlcourse-part-{number} {{ position: relative; overflow: hidden; aspect-ratio: {across} / {down};"
            f" flex: 0 0 auto; width: min(100%, {across}px); min-width: {round(LEAST_SCALE * across)}px; }}"
            f".{name} .dlcourse-part-{number} > img {{ position: absolute; max-width: none !important;"
            f" width: {100 * width / across:.4f}% !important; left: {-100 * left / across:.4f}%; top: {-100 * top / down:.4f}%; }}"
        )
    limit = round(LEAST_SCALE * width)
    rules.append(
        f"@container (max-width: {limit - 1}px) {{ .{name}:has(> .dlcourse-parts > *) > img {{ display: none; }}"
        f" .{name} > .dlcourse-parts {{ display: flex !important; flex-flow: row wrap; overflow-x: auto; }} }}"
    )
    script, title = html.escape(SCRIPT, quote=True), html.escape(title, quote=True)
    return f'<style data-title="{title}" data-limit="{limit}" onload="{script}">{"".join(rules)}</style>'
