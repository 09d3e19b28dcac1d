"""One NPU, and how it is reached over the network."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from launcher.specs.fields import FilledText, Form, IpAddress
from launcher.specs.spec import Part

DeviceId = Annotated[int, Field(ge=0, le=1023), Form("a whole number from 0 up")]
DevicePort = Annotated[int, Field(ge=1, le=65535), Form("a port from 1 to 65535")]


class AddressType(str, Enum):
    """What an address of a level is: an EID (32 hexadecimal digits), or an IP address."""

    EID = "EID"
    IPV4 = "IPV4"
    IPV6 = "IPV6"


class LevelAddress(Part):
    """One address of a device in a network layer."""

    type: Annotated[AddressType, Form("EID, IPV4 or IPV6")] = Field(strict=False, description="Kind of the address.")
    address: FilledText = Field(description="The address; an EID has 32 hexadecimal digits.")
    ports: Annotated[tuple[FilledText, ...], Form("a list of `die/port` texts")] = Field(
        default=(), strict=False, max_length=16, description="The ports behind it, each as `die/port`."
    )
    plane_id: FilledText = Field(default="0", description="Network plane of the address.")


class Level(Part):
    """One network layer of a device, as rank table 2.0 lists them (HCCL user guide, cluster_info_config)."""

    net_layer: Annotated[int, Field(ge=0, le=7), Form("a whole number from 0 to 7")] = Field(
        description="Number of the layer; the layers of a device ascend."
    )
    net_instance_id: Annotated[FilledText, Field(max_length=1024)] = Field(
        description="Which network of that layer; devices that share one reach each other in it."
    )
    net_type: FilledText = Field(description="TOPO_FILE_DESC, which layer 0 must be, or CLOS.")
    addresses: Annotated[tuple[LevelAddress, ...], Form("a list of addresses")] = Field(
        default=(), strict=False, max_length=24, description="Addresses of the device in this layer."
    )


class Device(Part):
    """One NPU of a host."""

    id: DeviceId = Field(description="Physical id, the N of `/dev/davinciN`.")
    ip: IpAddress | None = Field(
        default=None,
        description="Address of the device's own network port (`hccn_tool -i N -ip -g`). HCCL needs it between hosts.",
    )
    super_device_id: FilledText | None = Field(
        default=None, description="SDID of the device in its super pod (`npu-smi info -t spod-info -i N -c C`)."
    )
    backup_ip: IpAddress | None = Field(
        default=None, description="Address of the other die of the same NPU, for HCCL's retry over another link."
    )
    port: DevicePort | None = Field(default=None, description="Port of the device's network; HCCL's default is 16666.")
    levels: Annotated[tuple[Level, ...], Form("a list of network layers")] = Field(
        default=(), strict=False, max_length=8, description="Network layers of an Ascend 950, for rank table 2.0."
    )


def _by_id(value: Any) -> Any:
    """A device that is given as its id alone."""
    return {"id": value} if isinstance(value, int) and not isinstance(value, bool) else value


@dataclass(frozen=True)
class _OrId:
    """Says in the JSON schema that an id is enough."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [TypeAdapter(DeviceId).json_schema(), handler(schema)]}


ListedDevice = Annotated[Device, BeforeValidator(_by_id), _OrId(), Form("a device id, or a mapping with id and ip")]
