package electric

import (
	"fmt"
	"slices"
	"testing"
)

func TestOffsetsAreReadAsElectricWritesThem(t *testing.T) {
	for _, s := range []string{"-1", "now", "0_0", "0_inf", "0_2", "27027968_0", "27029048_1", "9223372036854775807_9223372036854775807"} {
		o, err := ParseOffset(s)
		if err != nil {
			t.Errorf("ParseOffset(%q): %v", s, err)
		}
		if got := o.String(); got != s {
			t.Errorf("ParseOffset(%q).String() = %q", s, got)
		}
	}
}

func TestAnOffsetHasOneSpelling(t *testing.T) {
	for _, s := range []string{
		"", "x", "-2", "-1_0", "NOW", " now", "0", "0_", "_0", "1_2_3", "00_0", "0_00", "0_01", "+1_0", "1_+0", "1_-0",
		"1_0 ", "1_INF", "inf_0", "1.5_0", "0x1_0", "１_0", "9223372036854775808_0", "18446744073709551616_0", "1_0\n",
	} {
		if o, err := ParseOffset(s); err == nil {
			t.Errorf("ParseOffset(%q) = %v, want an error", s, o)
		}
	}
}

func TestOffsetsAreOrderedAsTheLogIs(t *testing.T) {
	want := []string{"-1", "0_0", "0_1", "0_inf", "5_0", "5_2", "5_inf", "6_0", "now"}
	offsets := make([]Offset, len(want))
	for i, s := range want {
		offsets[len(want)-1-i], _ = ParseOffset(s)
	}
	slices.SortFunc(offsets, Offset.Compare)
	for i, o := range offsets {
		if o.String() != want[i] {
			t.Errorf("at %d: %s, want %s", i, o, want[i])
		}
	}
}

func FuzzParseOffset(f *testing.F) {
	for _, s := range []string{"-1", "now", "0_0", "0_inf", "27027968_0", "1_2_3", "00_0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := ParseOffset(s)
		if err != nil {
			return
		}
		if o.String() != s {
			t.Errorf("ParseOffset(%q).String() = %q", s, o)
		}
		if o.Compare(o) != 0 {
			t.Errorf("%s is not equal to itself", o)
		}
	})
}

func TestAMarkIsNotPartOfThePosition(t *testing.T) {
	for _, s := range []string{"0_inf", "27028648_0", "27029048_1", "27066264_2"} {
		o, err := ParseOffset(s)
		if err != nil || o.Unmarked() != o {
			t.Fatalf("%s without a mark is %s, %v", s, o.Unmarked(), err)
		}
		marked, err := ParseOffset(fmt.Sprintf("%d_0", Marked(o.LSN())))
		if err != nil || marked.Compare(o) <= 0 && o.LSN() > 0 || marked.Unmarked().LSN() != o.LSN() {
			t.Errorf("%s with a mark is %s, %v", s, marked, err)
		}
	}
	if Now.Unmarked() != Now || BeforeAll.Unmarked() != BeforeAll {
		t.Error("an offset that is no position has lost its meaning")
	}
}
