package electric

import "testing"

func TestKeysAreReadAsElectricSpellsThem(t *testing.T) {
	text := func(s string) *string { return &s }
	tests := []struct { // the keys of recording 12
		key, table string
		want       []*string
	}{
		{`"public"."rec_keys"/"a//b"/"1"`, "rec_keys", []*string{text("a/b"), text("1")}},
		{`"public"."rec_keys"/"say "hi""/"2"`, "rec_keys", []*string{text(`say "hi"`), text("2")}},
		{`"public"."rec_keys"/"back\slash"/"3"`, "rec_keys", []*string{text(`back\slash`), text("3")}},
		{`"public"."rec_keys"/"ünïcode"/"-4"`, "rec_keys", []*string{text("ünïcode"), text("-4")}},
		{`"public"."rec_keys"/""/"5"`, "rec_keys", []*string{text(""), text("5")}},
		{`"public"."Rec Caps"/"9007199254740993"`, "Rec Caps", []*string{text("9007199254740993")}},
		{`"public"."rec_nopk"/_/"2"`, "rec_nopk", []*string{nil, text("2")}},
		{`"public"."t"/"//"/"//"`, "t", []*string{text("/"), text("/")}},
		{`"public"."t"/"a//"//""`, "t", []*string{text(`a/"/"`)}},
		{`"public"."t"/"_"`, "t", []*string{text("_")}},
	}
	for _, tt := range tests {
		got, ok := KeyColumns(tt.key, "public", tt.table)
		if !ok || len(got) != len(tt.want) {
			t.Errorf("%s: %d values, %v", tt.key, len(got), ok)
			continue
		}
		for i := range got {
			if (got[i] == nil) != (tt.want[i] == nil) || got[i] != nil && *got[i] != *tt.want[i] {
				t.Errorf("%s: value %d differs", tt.key, i)
			}
		}
	}
}

func TestAKeyOfAnotherTableOrFormIsNotRead(t *testing.T) {
	for _, key := range []string{
		``, `"public"."t"`, `"public"."t2"/"1"`, `"other"."t"/"1"`, `"public"."t""/"1"`, `"public"."t"/1`,
		`"public"."t"/"1`, `"public"."t"/"1"/`, `"public"."t"x"1"`, `"public"."t"/"`,
	} {
		if got, ok := KeyColumns(key, "public", "t"); ok {
			t.Errorf("%s: read as %d values", key, len(got))
		}
	}
}
