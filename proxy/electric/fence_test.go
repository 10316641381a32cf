package electric

import "testing"

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
