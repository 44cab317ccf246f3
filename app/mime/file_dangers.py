"""What an attachment could do to whoever opens it, told by its name and type."""

from enum import StrEnum


class Danger(StrEnum):
    """What kind of file it is, in words that follow "Careful:"."""

    NONE = ""
    PROGRAM = "a program"
    WEB_PAGE = "a web page"
    MACROS = "may hold macros"
    DISK_IMAGE = "a disk image"


def find_danger(file_name: str, content_type: str) -> Danger:
    """The danger that opening the file is known for. What counts is the last extension, since
    that is what systems go by, and then the type."""
    extension = file_name.rpartition(".")[2].rstrip(". ").lower() if "." in file_name else ""
    return _BY_EXTENSION.get(extension) or _BY_TYPE.get(content_type.lower(), Danger.NONE)


_PROGRAMS = (
    "action", "app", "appimage", "application", "appref-ms", "apk", "bat", "bin", "chm", "cmd",
    "com", "command", "cpl", "deb", "desktop", "dll", "dmg", "exe", "gadget", "hta", "inf", "iqy",
    "jar", "js", "jse", "library-ms", "lnk", "mjs", "msc", "msh", "msi", "msix", "msp", "mst",
    "pif", "pkg", "ps1", "psm1", "py", "pyw", "rdp", "reg", "rpm", "run", "scf", "scr", "sct",
    "search-ms", "settingcontent-ms", "sh", "swf", "sys", "url", "vb", "vbe", "vbs", "wll",
    "workflow", "ws", "wsc", "wsf", "wsh", "xll",
)  # fmt: skip
_WEB_PAGES = ("htm", "html", "mht", "mhtml", "shtml", "svg", "svgz", "xht", "xhtml", "xml", "xsl")
_MACROS = (
    "docm", "dotm", "ppam", "potm", "ppsm", "pptm", "sldm", "xlam", "xlsb", "xlsm", "xltm",
)  # fmt: skip
_DISK_IMAGES = ("img", "iso", "udf", "vhd", "vhdx")
_BY_EXTENSION = {
    **dict.fromkeys(_PROGRAMS, Danger.PROGRAM),
    **dict.fromkeys(_WEB_PAGES, Danger.WEB_PAGE),
    **dict.fromkeys(_MACROS, Danger.MACROS),
    **dict.fromkeys(_DISK_IMAGES, Danger.DISK_IMAGE),
}
_BY_TYPE = {
    **dict.fromkeys(
        (
            "application/hta", "application/java-archive", "application/javascript",
            "application/vnd.android.package-archive", "application/x-dosexec",
            "application/vnd.microsoft.portable-executable", "application/x-executable",
            "application/x-msdownload", "application/x-ms-shortcut", "application/x-msi",
            "application/x-msdos-program", "application/x-sh", "application/x-shellscript",
            "text/javascript", "text/vbscript",
        ),
        Danger.PROGRAM,
    ),
    **dict.fromkeys(
        ("application/xhtml+xml", "image/svg+xml", "text/html"),
        Danger.WEB_PAGE,
    ),
    **dict.fromkeys(
        ("application/x-cd-image", "application/x-iso9660-image"), Danger.DISK_IMAGE
    ),
}  # fmt: skip
