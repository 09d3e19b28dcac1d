"""The file, its text, and what every format has."""

from __future__ import annotations

from launcher.planning.ranktable.rules.rule import (
    BOTH,
    CONCISE,
    CONFIG,
    FAULTS,
    GUIDE,
    NEW,
    OLD,
    PARA,
    PARSER,
    refused,
    warning,
)

FILE_MISSING = refused(
    "file-missing",
    OLD,
    "path {path} is not a valid real path",
    "check RANK_TABLE_FILE; torch_npu does not complain of a path that is not there, and ignores it",
    f"{FAULTS}, rank_table_load_fail",
)
FILE_UNREADABLE = refused(
    "file-unreadable",
    OLD,
    "path {path} is not a valid real path",
    "{remedy}",
    f"{FAULTS}, rank_table_load_fail",
)
FILE_NAME = refused(
    "file-name", ("HCCL_E_INTERNAL",), "path {path} is not a valid .json file", "give it a name in .json", PARSER
)
FILE_LINK = warning(
    "file-is-a-link",
    "torch_npu takes no symbolic link as RANK_TABLE_FILE",
    "name the file itself: {target}",
    "Ascend/pytorch, RANK_TABLE_FILE.md",
)
FILE_TOO_LARGE = refused(
    "file-too-large", (), "a rank table may have at most 1 GB", "check that this is the rank table", GUIDE
)
NOT_TEXT = refused("not-text", OLD, "Invalid ranktable format.", "write the table anew", PARSER)
NOT_JSON = refused("not-json", OLD, "Invalid ranktable format.", "mend the JSON text here", PARSER)
COMMENT = refused(
    "comment",
    OLD,
    "Invalid ranktable format.",
    "remove the comments: those of the guide's samples are not meant to be copied",
    GUIDE,
)
BYTE_ORDER_MARK = warning(
    "byte-order-mark",
    "HCCL reads past it, but programs in Python refuse the file",
    "save it as UTF-8 without a byte order mark",
    "RFC 8259, section 8.1",
)
REPEATED_KEY = warning(
    "repeated-key", "of a key that is given twice the last one counts", "remove one of them", "RFC 8259, section 4"
)
UNKNOWN_KEY = warning(
    "unknown-key",
    "neither the guide nor HCCL's public parsers have this key: as far as is known, HCCL does not read it",
    "{meant}",
    "HCCL user guide, and others",
)
SHAPE = refused("wrong-kind", PARA, "{expected} is expected here", "write {expected}", PARSER)
NOT_STRING = refused(
    "not-a-string",
    PARA,
    "json object property value of Name[{name}] is not string!",
    "put it in quotes: HCCL reads {name} as a text",
    PARSER,
)
NOT_INTEGER = refused(
    "not-an-integer", NEW, "{name} must be a whole number", "write it without quotes and without a fraction", GUIDE
)
MISSING_KEY = refused(
    "missing-key", ("HCCL_E_NOT_FOUND", "EI0017"), "json object has no property called {name}", "add {name}", PARSER
)
STATUS = refused(
    "status",
    ("HCCL_E_TIMEOUT",),
    "Load ranktable file timeout[1800]s",
    "wait until whoever writes the table has set status to completed, or set it when the table is whole",
    PARSER,
)
STATUS_UNREAD = warning(
    "status-unread",
    "HCCL does not look at the status of version 2.0, but whoever writes the table has not finished",
    "wait until status is completed",
    "cann/hcomm, rank_table_info",
)
VERSION = refused(
    "version",
    BOTH,
    "Ranktable version is not supported",
    'set version to "1.0", "1.2" (super pods of A3) or "2.0" (Ascend 950)',
    CONFIG,
)
VERSION_MISFIT = refused(
    "version-misfit",
    BOTH,
    "Ranktable version is not supported",
    "write the table anew, in format {fitting}: npu-launch ranktable CLUSTER",
    GUIDE,
)
VERSION_UNUSUAL = warning(
    "version-unusual",
    "the guide has no table of this format for this chip",
    "write the table anew, in format {fitting}: npu-launch ranktable CLUSTER",
    GUIDE,
)
NO_VERSION = refused(
    "no-version",
    ("HCCL_E_NOT_FOUND",),
    "json object has no property called group_list",
    'add "version": "1.0" (a table without a version is read as the legacy form, which has a group_list)',
    CONFIG,
)
EMPTY_LIST = refused("empty-list", OLD, "the '{name}' in the ranktable is empty", "list what takes part", CONCISE)
