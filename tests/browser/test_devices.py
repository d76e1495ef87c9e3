"""Set up a device in a browser: by its owner, and by a link on another device."""

import base64
import json
from pathlib import Path

import pytest

from mailboxes.models import AppPassword, DeviceLink
from mailboxes.services.app_password_hashes import hash_app_password
from tests.browser.accounts import PEOPLE, SETTINGS, WITHOUT_JAVASCRIPT

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.usefixtures("panel_url")]
JSQR = next(Path(__file__).parent.parent.glob("vendor/jsqr-*/jsQR.js"))
READ_PICTURE = """async (picture) => {
    const image = new Image();
    image.src = "data:image/png;base64," + picture;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"),
        {width: image.width, height: image.height});
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const {data, width, height} = context.getImageData(0, 0, image.width, image.height);
    return jsQR(data, width, height)?.data;
}"""
_ROOT, ALICE, BOB = PEOPLE
IDS = ["wide, English", "phone, German", "phone, without JavaScript"]
ALL_SETTINGS = [*SETTINGS, WITHOUT_JAVASCRIPT]


@pytest.fixture(autouse=True)
def host(settings):
    settings.MAILADMIN_MAIL_HOST = "mail.example.org"


@pytest.fixture
def reader(chromium):
    """A page that reads QR codes."""
    page = chromium.new_page()
    page.evaluate(JSQR.read_text())
    yield page
    page.close()


def scan(visitor, reader):
    """Return the text of the QR code that the page shows."""
    picture = visitor.page.locator(".qr-code").first.screenshot()
    return reader.evaluate(READ_PICTURE, base64.b64encode(picture).decode())


def set_up(visitor, device, path="/account/device/"):
    """Choose a device; return the app password that the page shows."""
    visitor.go(path)
    visitor.fill(device=device)
    visitor.submit()
    shown = visitor.page.inner_text("#new-app-password")
    assert AppPassword.objects.filter(password_hash=hash_app_password(shown)).exists()
    assert visitor.cut() == []
    return shown


@pytest.mark.parametrize("visitor", ALL_SETTINGS, indirect=True, ids=IDS)
def test_a_phone_reads_its_account_from_the_qr_code(visitor, reader):
    visitor.sign_in(BOB)
    password = set_up(visitor, "android")
    _version, _sequence, incoming, ((outgoing, identity),) = json.loads(scan(visitor, reader))
    assert incoming == [0, "mail.example.org", 993, 3, 1, BOB, "", password]
    assert outgoing == [0, "mail.example.org", 465, 3, 1, BOB, password]
    assert identity == [BOB, "Bob"]


@pytest.mark.parametrize("visitor", ALL_SETTINGS, indirect=True, ids=IDS)
def test_the_profile_is_downloaded(visitor):
    visitor.sign_in(BOB)
    password = set_up(visitor, "apple")
    with visitor.page.expect_download() as download:
        visitor.page.click("form[action='/login/device/profile/'] button")
    assert download.value.suggested_filename == "mail.mobileconfig"
    assert password in Path(download.value.path()).read_text()


@pytest.mark.parametrize("visitor", SETTINGS, indirect=True, ids=IDS[:2])
def test_each_setting_can_be_copied(visitor):
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.sign_in(BOB)
    password = set_up(visitor, "other")
    wanted = [BOB, BOB, password, "mail.example.org", "mail.example.org"]
    copied = []
    for button in visitor.page.locator("#device-settings button").all():
        button.click()
        copied.append(visitor.page.evaluate("navigator.clipboard.readText()"))
    assert copied == wanted


@pytest.mark.parametrize("visitor", ALL_SETTINGS, indirect=True, ids=IDS)
def test_the_owner_continues_on_the_phone_by_a_qr_code(visitor, reader):
    visitor.sign_in(BOB)
    visitor.go("/account/device/")
    visitor.page.click("main a[href='/account/device/links/']")
    visitor.submit()
    address = scan(visitor, reader)
    assert address == visitor.page.inner_text("#new-link")
    visitor.page.context.clear_cookies()  # as on another device
    visitor.page.goto(address)
    assert visitor.page.url.endswith("/login/device/"), "the code of the link stays in the address"
    assert visitor.cut() == []
    visitor.fill(device="outlook")
    visitor.submit()
    assert visitor.page.inner_text("#new-app-password")
    assert not DeviceLink.objects.exists()
    visitor.page.goto(address)
    assert visitor.says("Link not valid")


@pytest.mark.parametrize("visitor", ALL_SETTINGS, indirect=True, ids=IDS)
def test_alice_sends_bob_a_link_and_revokes_it(visitor):
    visitor.sign_in(ALICE)
    visitor.go(f"/mailboxes/{BOB}/app-passwords/")
    visitor.page.click("main a[href$='/device-links/']")
    visitor.fill(send_to="bob@home.example")
    visitor.submit()
    assert visitor.says("It was sent to %(to)s.", to="bob@home.example")
    assert visitor.cut() == []
    visitor.page.click("main form[action$='/revoke/'] button")
    assert visitor.says("The link was revoked.")
    assert not DeviceLink.objects.exists()
