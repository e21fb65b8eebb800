"""What the recogniser says, into the window that has the focus, in the style of its profile.

writer = Writer(settings, focus, hand, open_typist)
writer.begin()                 # an utterance: where will it go?
writer.partial("hello wor")
writer.final("hello world")
"""

from __future__ import annotations

from collections.abc import Callable

from streamasr.app.dictation.settings import OnFocus, Profile, Settings
from streamasr.core.dictation.manuscript import Manuscript
from streamasr.core.dictation.punctuating import Guide
from streamasr.core.dictation.style import Style
from streamasr.edge.dictation.focus import Focus
from streamasr.edge.dictation.hand import Doing, Hand, Manner
from streamasr.edge.dictation.typist import Typist


class Writer:
    """Chooses the page and its manner, and hands targets to the hand."""

    def __init__(
        self,
        settings: Settings,
        focus: Focus,
        hand: Hand,
        open_typist: Callable[[str], Typist],
        *,
        partials: bool = True,
        guide: Guide | None = None,
    ) -> None:
        """``open_typist`` opens a way to type by its name; each is opened once. ``guide``
        sets the marks that nobody says."""
        self._settings = settings
        self._focus, self._hand, self._open = focus, hand, open_typist
        self._typists: dict[str, Typist] = {}
        self._partials = partials
        self._manuscript = Manuscript(settings.style, hold_back=settings.hold_back, guide=guide)
        self._manner = self._manner_of(settings.profile(""))
        self._has_page = False
        self._program = ""  # that the page is written into
        self._coming: tuple[Settings, Guide | None] | None = None
        self._is_shown = False  # something of the open utterance stands in the window

    @property
    def style(self) -> Style:
        """How the page that is written on is written."""
        return self._manuscript.style

    def change(self, settings: Settings, guide: Guide | None) -> None:
        """Write by other settings from the next utterance on.

        Raises DeviceError where a profile types in a way that does not work here; then all
        stays as it was.
        """
        for profile in (settings.profile(""), *settings.profiles):
            self._manner_of(profile)
        self._coming = settings, guide

    def _take_over(self) -> None:
        """Let changed settings hold, on the page that is written on too."""
        if self._coming is None:
            return
        (self._settings, guide), self._coming = self._coming, None
        profile = self._settings.profile(self._program)
        self._manner = self._manner_of(profile)
        self._manuscript.change(profile.style, hold_back=self._settings.hold_back, guide=guide)

    def begin(self) -> None:
        """An utterance begins: a page of its own where the focus has moved since the last."""
        self._take_over()
        window = self._focus.window()
        is_held = self._hand.doing is Doing.HOLDING
        if self._has_page and (is_held or window.name == self._manuscript.window):
            return
        if self._has_page and self._settings.on_focus is OnFocus.FOLLOW and not window.name:
            return
        profile = self._settings.profile(window.program)
        self._manner = self._manner_of(profile)
        self._program = window.program
        self._manuscript.begin(window.name, profile.style)
        self._has_page = True

    def partial(self, text: str) -> None:
        if self._partials and self._manner.typist.corrects:
            self._is_shown = True
            self._hand.show(self._manuscript.partial(text), self._manner)

    def final(self, text: str) -> bool:
        """Write an utterance for good; whether it asks to stop listening."""
        self._is_shown = False
        self._hand.show(self._manuscript.final(text), self._manner)
        return self._manuscript.is_stopped

    def end(self) -> None:
        """The utterance is over; what was shown of one that came to nothing goes."""
        if self._is_shown:
            self._is_shown = False
            self._hand.show(self._manuscript.target, self._manner)

    def release(self) -> None:
        """Let text that waits for its window go where the focus is."""
        self._hand.release()

    def cancel(self) -> None:
        """Take back the open utterance, and drop what waits for its window."""
        if self._hand.doing is Doing.HOLDING:
            self._hand.drop()
            self._has_page = False  # what stands there is not what we know
        else:
            self.end()

    def close(self) -> None:
        """Let the ways to type go; the hand must have finished."""
        for typist in self._typists.values():
            typist.close()

    def _manner_of(self, profile: Profile) -> Manner:
        name = profile.typing or self._settings.typing
        if name not in self._typists:
            self._typists[name] = self._open(name)
        return Manner(self._typists[name], soft_breaks=profile.line_break == "shift+return")
