package electric

import (
	"reflect"
	"testing"
)

func TestWhatASnapshotHasSeen(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		xmax, xipList, txids string
		want                 bool
	}{
		{"an earlier transaction", `"805"`, `[]`, `[804]`, true},
		{"the next one", `"805"`, `[]`, `[805]`, false},
		{"a later one", `"805"`, `[]`, `[900]`, false},
		{"one that was running", `"805"`, `["803"]`, `[803]`, false},
		{"one beside one that was running", `"805"`, `[801, 803]`, `[802]`, true},
		{"all of several", `805`, `[]`, `[1, 804]`, true},
		{"not all of several", `805`, `[]`, `[804, 805]`, false},
		{"in a later epoch", `"4294968101"`, `["4294968099"]`, `[804]`, true}, // 2^32 + 805
		{"before the ids wrapped around", `"4294967300"`, `[]`, `[4294967290]`, true},
		{"after they did", `"4294967290"`, `[]`, `[4]`, false},
		{"none named", `"805"`, `[]`, `[]`, false},
		{"what is no id", `"805"`, `[]`, `["x"]`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			metadata := parseMetadata([]byte(`{"xmin":"1","xmax":` + tt.xmax + `,"xip_list":` + tt.xipList + `}`))
			s, ok := metadata.Fence()
			if !ok {
				t.Fatal("the snapshot cannot be read")
			}
			m, err := ParseMessage([]byte(`{"key":"k","value":{},"headers":{"operation":"insert","txids":` + tt.txids + `}}`))
			if err != nil {
				t.Fatal(err)
			}
			if got := m.SeenBy(&s); got != tt.want {
				t.Errorf("seen: %v", got)
			}
		})
	}
	m := parseMetadata([]byte(`{"xmin":"1","xmax":"x","xip_list":[]}`))
	if _, ok := m.Fence(); ok {
		t.Error("what is no snapshot can be read")
	}
}

func TestAFenceKeepsWhatPostgresSaid(t *testing.T) {
	m := parseMetadata([]byte(`{"xip_list":["4294968099","4294968100"],"xmax":"4294968101","xmin":"4294968099","snapshot_mark":7,"database_lsn":"27094072"}`))
	f, ok := m.Fence()
	if !ok {
		t.Fatal("the fence cannot be read")
	}
	again := NewFence(f.XMin(), f.XMax(), f.XIP(), f.LSN())
	want := Fence{xmin: 4294968099, xmax: 4294968101, xip: []uint64{4294968099, 4294968100}, lsn: 27094072}
	if !reflect.DeepEqual(f, want) || !reflect.DeepEqual(again, want) {
		t.Errorf("%+v, again %+v", f, again)
	}
	if lsn, ok := f.DatabaseLSN(); !ok || lsn != 27094072 {
		t.Errorf("database LSN %d, %v", lsn, ok)
	}
	if lsn, ok := NewFence(1, 2, nil, 0).DatabaseLSN(); ok {
		t.Errorf("a database LSN %d out of nothing", lsn)
	}
}
