"""Stand-in for the protobuf module ("protos") that the .NET host's proxy worker hands to
azure_functions_runtime.  Own work: only the names the runtime touches, with the field and
enum NAMES of FunctionRpc.proto.  Strict: an unknown field name raises, as protobuf would."""


class _Message:
    FIELDS: dict = {}  # field -> default factory
    ONEOFS: dict = {}  # oneof name -> tuple of fields

    def __init__(self, **kw):
        unknown = set(kw) - set(self.FIELDS)
        if unknown:
            raise ValueError(f"{type(self).__name__} has no field(s) {sorted(unknown)}")
        self._set = {k for k, v in kw.items() if v is not None}
        for name, default in self.FIELDS.items():
            value = kw.get(name)
            setattr(self, name, default() if value is None else value)

    def WhichOneof(self, oneof):
        for field in self.ONEOFS[oneof]:
            if field in self._set:
                return field
        return None

    def HasField(self, field):
        return field in self._set

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{k}={getattr(self, k)!r}' for k in sorted(self._set))})"


def _message(cls_name, oneofs=None, **fields):
    return type(cls_name, (_Message,), {"FIELDS": fields, "ONEOFS": oneofs or {}})


def none():
    return None


_typed = (
    "string",
    "json",
    "bytes",
    "stream",
    "http",
    "int",
    "double",
    "collection_bytes",
    "collection_string",
    "collection_double",
    "collection_sint64",
    "model_binding_data",
    "collection_model_binding_data",
)
TypedData = _message("TypedData", {"data": _typed}, **dict.fromkeys(_typed, none))
ParameterBinding = _message(
    "ParameterBinding", {"rpc_data": ("data", "rpc_shared_memory")}, name=str, data=none, rpc_shared_memory=none
)
RpcHttp = _message(
    "RpcHttp",
    method=str,
    url=str,
    headers=dict,
    body=TypedData,
    params=dict,
    status_code=str,
    query=dict,
    enable_content_negotiation=bool,
    cookies=list,
)
for _n in ("String", "Bool", "Double", "Timestamp"):
    globals()[f"Nullable{_n}"] = _message(f"Nullable{_n}", value=none)
Timestamp = _message("Timestamp", seconds=int, nanos=int)
RpcHttpCookie = _message(
    "RpcHttpCookie",
    name=str,
    value=str,
    domain=none,
    path=none,
    expires=none,
    secure=none,
    http_only=none,
    same_site=int,
    max_age=none,
)
RpcHttpCookie.SameSite = type("SameSite", (), {"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})
RpcException = _message("RpcException", source=str, stack_trace=str, message=str)
StatusResult = _message("StatusResult", status=int, result=str, exception=none, logs=list)
StatusResult.Failure, StatusResult.Success, StatusResult.Cancelled = 0, 1, 2
WorkerMetadata = _message(
    "WorkerMetadata",
    runtime_name=str,
    runtime_version=str,
    worker_version=str,
    worker_bitness=str,
    custom_properties=dict,
)
WorkerInitResponse = _message("WorkerInitResponse", capabilities=dict, result=none, worker_metadata=none)
BindingInfo = _message("BindingInfo", type=str, direction=int, data_type=int, properties=dict)
BindingInfo.undefined, BindingInfo.string, BindingInfo.binary, BindingInfo.stream = 0, 1, 2, 3
setattr(BindingInfo, "in", 0)
BindingInfo.out, BindingInfo.inout = 1, 2
RpcRetryOptions = _message(
    "RpcRetryOptions",
    max_retry_count=int,
    delay_interval=none,
    minimum_interval=none,
    maximum_interval=none,
    retry_strategy=none,
)
RpcFunctionMetadata = _message(
    "RpcFunctionMetadata",
    name=str,
    directory=str,
    script_file=str,
    entry_point=str,
    bindings=dict,
    is_proxy=bool,
    status=none,
    language=str,
    raw_bindings=list,
    function_id=str,
    managed_dependency_enabled=bool,
    retry_options=none,
    properties=dict,
)
FunctionMetadataResponse = _message(
    "FunctionMetadataResponse", function_metadata_results=list, result=none, use_default_metadata_indexing=bool
)
FunctionLoadResponse = _message("FunctionLoadResponse", function_id=str, result=none)
InvocationResponse = _message("InvocationResponse", invocation_id=str, output_data=list, return_value=none, result=none)
FunctionEnvironmentReloadResponse = _message(
    "FunctionEnvironmentReloadResponse", result=none, capabilities=dict, worker_metadata=none
)
# request side (built by the driver; the runtime only reads them)
RpcTraceContext = _message("RpcTraceContext", trace_parent=str, trace_state=str, attributes=dict)
RetryContext = _message("RetryContext", retry_count=int, max_retry_count=int, exception=none)
WorkerInitRequest = _message(
    "WorkerInitRequest",
    host_version=str,
    capabilities=dict,
    log_categories=dict,
    worker_directory=str,
    function_app_directory=str,
)
FunctionsMetadataRequest = _message("FunctionsMetadataRequest", function_app_directory=str)
FunctionLoadRequest = _message("FunctionLoadRequest", function_id=str, metadata=none, managed_dependency_enabled=bool)
InvocationRequest = _message(
    "InvocationRequest",
    invocation_id=str,
    function_id=str,
    input_data=list,
    trigger_metadata=dict,
    trace_context=RpcTraceContext,
    retry_context=RetryContext,
)
StreamingMessage = _message(
    "StreamingMessage",
    request_id=str,
    worker_init_request=none,
    functions_metadata_request=none,
    function_load_request=none,
    invocation_request=none,
)
