"""The page of Airflow's UI that lists connections, and the form on it, as a person uses them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

T = TypeVar("T")

STANDARD = "Standard Fields"
PATIENCE = 120.0
_PICTURE_SCALE = 0.85
_DIALOG = "[role=dialog][data-state=open]"
# A section that is being closed can still be seen.
_FIELDS = """
.//*[@data-scope='field'][@data-part='root'][not(ancestor::*[@data-part='item'][@data-state='closed'])]
"""
_UNFOLDED = """
const dialog = arguments[0];
for (const part of dialog.querySelectorAll('[data-part="item-content"]')) {
  if (part.textContent && !part.querySelector('.monaco-editor, [data-mode-id]')) {
    part.hidden = false;
    part.style.cssText = 'display: block; height: auto; overflow: visible; animation: none';
  }
}
"""


class ConnectionsPage:
    """The list of connections, open in a browser.

    Args:
        driver: The browser.
        airflow: Address of the API server.
    """

    def __init__(self, driver: Chrome, airflow: str) -> None:
        self.driver = driver
        self._url = f"{airflow}/connections"

    def open(self) -> None:
        """Load the page anew."""
        self.driver.get(self._url)
        self.wait(lambda: self._button(self.driver, "Add Connection"))

    def wait(self, look: Callable[[], T]) -> T:
        """Look until there is something to see that stays."""
        ignored = (NoSuchElementException, StaleElementReferenceException)
        return WebDriverWait(self.driver, PATIENCE, ignored_exceptions=ignored).until(lambda _: look())

    def add(self, type_name: str) -> ConnectionForm:
        """Open the form of a type of connections."""
        self._button(self.driver, "Add Connection").click()
        form = self.wait(lambda: ConnectionForm(self, self.driver.find_element(By.CSS_SELECTOR, _DIALOG)))
        form.choose("Connection Type", type_name)
        return form

    def edit(self, conn_id: str) -> ConnectionForm:
        """Open the form of a saved connection."""
        self._in_row(conn_id, "Edit Connection").click()
        form = self.wait(lambda: ConnectionForm(self, self.driver.find_element(By.CSS_SELECTOR, _DIALOG)))
        self.wait(lambda: form.sections)
        return form

    def test(self, conn_id: str) -> tuple[str, str]:
        """Press the button that tests a saved connection; return title and text of what is reported."""
        self._in_row(conn_id, "Test Connection").click()
        toast = self.wait(
            lambda: self.driver.find_element(
                By.XPATH, "//*[@data-scope='toast'][@data-part='root'][contains(., 'Test')]"
            )
        )
        title, text = (
            self.wait(lambda part=part: toast.find_element(By.CSS_SELECTOR, f"[data-part={part}]").text)  # type: ignore[misc]
            for part in ("title", "description")
        )
        return title, text

    def contents(self) -> str:
        """All that the page holds: its source, and what is in the fields."""
        fields = self.driver.find_elements(By.CSS_SELECTOR, "input, textarea")
        return "\n".join([self.driver.page_source, *(str(field.get_property("value")) for field in fields)])

    def _in_row(self, conn_id: str, label: str) -> WebElement:
        row = f"//tr[.//*[normalize-space()='{conn_id}']]"
        return self.wait(lambda: self.driver.find_element(By.XPATH, f"{row}//button[@aria-label='{label}']"))

    @staticmethod
    def _button(within: Chrome | WebElement, text: str) -> WebElement:
        return within.find_element(By.XPATH, f".//button[normalize-space()='{text}']")


class ConnectionForm:
    """The form of one connection.

    Args:
        page: Where it is.
        dialog: What it is drawn in.
    """

    def __init__(self, page: ConnectionsPage, dialog: WebElement) -> None:
        self._page = page
        self._dialog = dialog

    @property
    def sections(self) -> list[str]:
        """Titles of its sections, from top to bottom."""
        triggers = self._dialog.find_elements(By.CSS_SELECTOR, "button[data-part=item-trigger]")
        return [trigger.text.strip() for trigger in triggers]

    def unfold(self, section: str) -> None:
        """Open a section, which closes the one that was open."""
        trigger = self._page.wait(lambda: ConnectionsPage._button(self._dialog, section))
        if trigger.get_attribute("aria-expanded") != "true":
            trigger.click()
        self._page.wait(lambda: trigger.get_attribute("aria-expanded") == "true")

    def fields(self) -> dict[str, WebElement]:
        """The fields above the sections, and those of the open section, by their labels."""
        found = self._dialog.find_elements(By.XPATH, _FIELDS)
        return {_label(field): field for field in found if field.is_displayed()}

    def input(self, label: str) -> WebElement:
        """Where a field is filled in."""
        field = self._page.wait(lambda: self.fields().get(label))
        assert field is not None
        return field.find_element(By.CSS_SELECTOR, "input, textarea")

    def help(self, label: str) -> str:
        """What is written under a field."""
        return self.fields()[label].find_element(By.CSS_SELECTOR, "[data-part=helper-text]").text

    def fill(self, label: str, value: str) -> None:
        """Paste a value into a field, in place of what was there."""
        at = self.input(label)
        at.send_keys(Keys.CONTROL, "a")
        # The form is drawn anew for each key, and loses some of them if they come fast.
        self._page.driver.execute_cdp_cmd("Input.insertText", {"text": value})
        self._page.wait(lambda: self.input(label).get_property("value") == value)

    def choices(self, label: str) -> list[str]:
        """What a field offers to choose from."""
        at = self.input(label)
        at.send_keys(Keys.ARROW_DOWN)
        options = self._page.wait(lambda: self._page.driver.find_elements(By.CSS_SELECTOR, "[role=option]"))
        texts = [option.text for option in options]
        # Escape would close the whole form.
        self._dialog.find_element(By.TAG_NAME, "h2").click()
        self._page.wait(lambda: not self._page.driver.find_elements(By.CSS_SELECTOR, "[role=option]"))
        return texts

    def choose(self, label: str, choice: str) -> None:
        """Choose one of what a field offers."""
        at = self.input(label)
        at.send_keys(choice)
        self._page.wait(lambda: self._page.driver.find_element(By.CSS_SELECTOR, "[role=option]"))
        at.send_keys(Keys.ENTER)
        self._page.wait(lambda: choice in self.fields()[label].text)

    def save(self) -> None:
        """Press the button, and wait until the form has gone."""
        button = ConnectionsPage._button(self._dialog, "Save")
        self._page.wait(button.is_enabled)
        button.click()
        self._page.wait(lambda: not self._page.driver.find_elements(By.CSS_SELECTOR, _DIALOG))

    def close(self) -> None:
        """Leave it as it was."""
        self._dialog.find_element(By.CSS_SELECTOR, "[data-part=close-trigger]").click()
        self._page.wait(lambda: not self._page.driver.find_elements(By.CSS_SELECTOR, _DIALOG))

    def picture(self, path: Path) -> None:
        """Write a picture of the whole form, with all of its sections open at once, which Airflow does not do."""
        driver = self._page.driver
        size = driver.get_window_size()
        driver.execute_script(_UNFOLDED, self._dialog)
        driver.set_window_size(size["width"], self._dialog.size["height"] + 400)
        path.parent.mkdir(parents=True, exist_ok=True)
        clip = {**self._dialog.rect, "scale": _PICTURE_SCALE}
        taken = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "clip": clip})
        path.write_bytes(base64.b64decode(taken["data"]))
        driver.set_window_size(size["width"], size["height"])


def _label(field: WebElement) -> str:
    labels = field.find_elements(By.CSS_SELECTOR, "[data-part=label]")
    return labels[0].text.removesuffix("*").strip() if labels else ""
