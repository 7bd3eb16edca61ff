"""Serves upgrade packages and modules: create, show, change, delete.

1. DestVersion has 1 to 64 of `A-Za-z0-9._-`, FirmwareName 1 to 40 and does not change, FirmwareDesc at most 100 [V].
   A delta package (Type 1) needs SrcVersion [V].
2. A package that needs a check starts unverified (0), another with -1 [D Alibaba: NeedToVerify].
3. firmwareUrl is signed and expires: another one at every read [V].
4. At most 500 packages, 10 modules a product [V Alibaba, I Tuya]. The default module stays [I].
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl_simulator.iot.timeline import Agenda
from otactl_simulator.service import Handler, ModelledError, Request
from otactl_simulator.tuya.device_behavior import Course
from otactl_simulator.tuya.fields import Given, missing, paged, utc, wrong
from otactl_simulator.tuya.settings import Settings
from otactl_simulator.tuya.state import (
    DEFAULT_MODULE,
    IN_PROGRESS,
    UNCHECKED,
    UNFINISHED,
    UNVERIFIED,
    Firmware,
    Module,
    Product,
    Store,
)
from otactl_simulator.tuya.views import firmware_row

VERSION = r"[A-Za-z0-9._-]{1,64}"
_MOST_FIRMWARES, _MOST_MODULES = 500, 10
_FIRST_ID = 1000


class Packages:
    """The package and module operations."""

    def __init__(self, store: Store, agenda: Agenda, settings: Settings, course: Course) -> None:
        self._store, self._agenda, self._settings, self._course = store, agenda, settings, course

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "CreateOTAFirmware": self.create,
            "ModifyOTAFirmware": self.modify,
            "DeleteOTAFirmware": self.delete,
            "QueryOTAFirmware": self.query,
            "ListOTAFirmware": self.list,
            "CreateOTAModule": self.create_module,
            "UpdateOTAModule": self.update_module,
            "DeleteOTAModule": self.delete_module,
            "ListOTAModuleByProduct": self.list_modules,
        }

    def create(self, request: Request) -> dict[str, object]:
        """Return a new package (rules 1, 2 and 4)."""
        given, now = Given(request.parameters), self._agenda.now()
        version = given.needed("DestVersion", pattern=VERSION)
        name = given.needed("FirmwareName", longest=40)
        product = self._store.product(given.needed("ProductKey"))
        module = given.text("ModuleName", DEFAULT_MODULE)
        if module not in product.modules:
            raise ModelledError("iot.ota.ModuleNotExist", f"module {module} of {product.key} does not exist")
        kind = given.whole("Type", 0, 1) or 0
        source = given.text("SrcVersion", pattern=VERSION)
        if kind == 1 and not source:
            raise missing("SrcVersion")
        if any(known.name == name for known in self._store.firmwares.values()):
            raise ModelledError("iot.ota.FirmwareNameExisted", f"a package {name} exists")
        if len(self._store.firmwares) >= _MOST_FIRMWARES:
            raise ModelledError("iot.ota.TooManyFirmware", f"there are {_MOST_FIRMWARES} packages")
        firmware = Firmware(
            id=self._store.number(_FIRST_ID),
            product_key=product.key,
            name=name,
            dest_version=version,
            created_at=now,
            modified_at=now,
            src_version=source,
            module=module,
            sign=given.text("FirmwareSign"),
            sign_method=given.one_of("SignMethod", ("MD5", "SHA256"), "MD5"),
            size=given.whole("FirmwareSize", 1, 10**12) or 0,
            type=kind,
            status=UNVERIFIED if given.flag("NeedToVerify", default=True) else UNCHECKED,
            desc=given.text("FirmwareDesc", longest=100),
        )
        self._store.firmwares[firmware.id] = firmware
        return {"data": {"firmwareId": firmware.id, "utcCreate": utc(now)}}

    def modify(self, request: Request) -> dict[str, object]:
        """Change the description; everything else is final [I]."""
        given = Given(request.parameters)
        firmware = self._store.firmware(given.needed("FirmwareId"))
        if given.text("FirmwareName", firmware.name) != firmware.name:
            raise wrong("FirmwareName", "cannot be changed")
        firmware.desc = given.text("FirmwareDesc", firmware.desc, longest=100)
        firmware.modified_at = self._agenda.now()
        return {}

    def delete(self, request: Request) -> dict[str, object]:
        """Delete a package; what becomes of its tasks is a switch."""
        firmware = self._store.firmware(Given(request.parameters).needed("FirmwareId"))
        jobs = [job for job in self._store.jobs.values() if job.firmware is firmware]
        tasks = [task for job in jobs for task in job.tasks if task.status in UNFINISHED]
        if tasks and self._settings["tuyaDeleteInUse"] == "refused":
            raise ModelledError("iot.ota.FirmwareInUse", f"firmware {firmware.id} has {len(tasks)} unfinished tasks")
        for task in tasks:
            if task.status != IN_PROGRESS:
                task.job.cancel_asked = True
                self._course.cancel(task)
        del self._store.firmwares[firmware.id]
        return {}

    def query(self, request: Request) -> dict[str, object]:
        """Return one package, with an address that expires (rule 3)."""
        firmware = self._store.firmware(Given(request.parameters).needed("FirmwareId"))
        expires = int(self._agenda.now().timestamp()) + 3600
        mark = self._store.unique("url")
        url = f"https://packages.example/{firmware.id}.bin?Expires={expires}&OSSAccessKeyId=x&Signature={mark}"
        return {"firmwareInfo": {**firmware_row(self._store, firmware), "firmwareUrl": url}}

    def list(self, request: Request) -> dict[str, object]:
        """Packages, the newest first."""
        given = Given(request.parameters)
        page = given.page(100)
        product, version = given.text("ProductKey"), given.text("DestVersion")
        if product:
            self._store.product(product)
        found = [
            firmware
            for firmware in reversed(self._store.firmwares.values())
            if product in ("", firmware.product_key) and version in ("", firmware.dest_version)
        ]
        rows, page_of = paged(found, page)
        return {"firmwareInfo": {"simpleFirmwareInfo": [firmware_row(self._store, row) for row in rows]}, **page_of}

    def create_module(self, request: Request) -> dict[str, object]:
        """Return a new module (rule 4)."""
        given = Given(request.parameters)
        product, name = self._store.product(given.needed("ProductKey")), given.needed("ModuleName", pattern=VERSION)
        if name in product.modules:
            raise ModelledError("iot.ota.ModuleNameExisted", f"module {name} exists")
        if len(product.modules) >= _MOST_MODULES:
            raise ModelledError("iot.ota.TooManyModules", f"there are {_MOST_MODULES} modules")
        product.modules[name] = Module(name, given.text("AliasName", longest=64), given.text("Desc", longest=100))
        return {}

    def update_module(self, request: Request) -> dict[str, object]:
        """Change alias or description of a module."""
        given = Given(request.parameters)
        _, module = self._module(given)
        module.alias = given.text("AliasName", module.alias, longest=64)
        module.desc = given.text("Desc", module.desc, longest=100)
        return {}

    def delete_module(self, request: Request) -> dict[str, object]:
        """Delete a module, unless a package is for it [I]."""
        product, module = self._module(Given(request.parameters))
        used = any(f.product_key == product.key and f.module == module.name for f in self._store.firmwares.values())
        if module.name == DEFAULT_MODULE or used:
            raise ModelledError("iot.ota.ModuleInUse", f"module {module.name} cannot be deleted")
        del product.modules[module.name]
        return {}

    def list_modules(self, request: Request) -> dict[str, object]:
        """Return the modules of a product; no pages [V Alibaba]."""
        product = self._store.product(Given(request.parameters).needed("ProductKey"))
        rows = [
            {"moduleName": m.name, "productKey": product.key, "aliasName": m.alias, "desc": m.desc}
            for m in product.modules.values()
        ]
        return {"data": {"otaModuleDTO": rows}}

    def _module(self, given: Given) -> tuple[Product, Module]:
        product, name = self._store.product(given.needed("ProductKey")), given.needed("ModuleName")
        module = product.modules.get(name)
        if module is None:
            raise ModelledError("iot.ota.ModuleNotExist", f"module {name} of {product.key} does not exist")
        return product, module
