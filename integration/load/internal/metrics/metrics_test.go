package metrics

import (
	"strings"
	"testing"
)

func TestMetricsAreRead(t *testing.T) {
	v, err := parse(strings.NewReader(`# HELP grpc_client_handled_total Total.
grpc_client_handled_total{grpc_code="OK",grpc_method="CheckPermission",grpc_service="s",grpc_type="unary"} 3
grpc_client_handled_total{grpc_code="Unavailable",grpc_method="CheckPermission",grpc_service="s",grpc_type="unary"} 1
process_cpu_seconds_total 1.5
process_resident_memory_bytes 1.2e+07
shapegate_held_requests{shape="documents"} 5
shapegate_held_requests{shape="tasks"} 2
`))
	if err != nil || v.Calls["CheckPermission"] != 4 || v.CPU != 1.5 || v.RSS != 12e6 || v.Held != 7 {
		t.Errorf("%+v, %v", v, err)
	}
}
