package electrictest

import (
	"fmt"
	"strings"
	"time"
)

// Postgres' ISO output, without fraction and zone.
const (
	dateLayout      = "2006-01-02"
	timeLayout      = "15:04:05"
	timestampLayout = dateLayout + " " + timeLayout
)

var (
	zoneLayouts  = []string{"", "Z07:00", "-07", "-0700", " Z07:00", " -07", " MST"}
	clockLayouts = []string{timeLayout, "15:04"}
)

// parseTime reads a date or time, in ISO forms only, as microseconds: since 1970
// for dates and timestamps, since midnight for times. A zone that is missing is
// UTC; the zone of a type without one is ignored, as Postgres does.
func parseTime(k kind, s string) (int64, error) {
	s = strings.TrimSpace(s)
	if s == "epoch" {
		return 0, nil
	}
	// Most values are stored ones, which are in Postgres' own form.
	if k == kindTimestamptz && strings.HasSuffix(s, "+00") {
		if t, err := time.Parse(timestampLayout+"-07", s); err == nil {
			return t.UnixMicro(), nil
		}
	}
	normal := s
	if len(s) > len(dateLayout) && (s[len(dateLayout)] == 'T' || s[len(dateLayout)] == 't') {
		normal = s[:len(dateLayout)] + " " + s[len(dateLayout)+1:]
	}
	for _, clock := range clockLayouts {
		for _, zone := range zoneLayouts {
			layout := dateLayout + " " + clock + zone
			if k == kindTime {
				layout = clock + zone
			}
			t, err := time.Parse(layout, normal)
			if err != nil {
				continue
			}
			switch k {
			case kindTime:
				return clockMicros(t), nil
			case kindDate:
				return dayMicros(t), nil
			case kindTimestamp:
				return dayMicros(t) + clockMicros(t), nil
			default:
				return t.UnixMicro(), nil
			}
		}
	}
	if t, err := time.Parse(dateLayout, normal); err == nil && k != kindTime {
		return t.UnixMicro(), nil
	}
	return 0, fmt.Errorf("invalid date or time %q", s)
}

func clockMicros(t time.Time) int64 {
	return int64(t.Hour())*time.Hour.Microseconds() + int64(t.Minute())*time.Minute.Microseconds() +
		int64(t.Second())*time.Second.Microseconds() + int64(t.Nanosecond())/1000
}

func dayMicros(t time.Time) int64 {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).UnixMicro()
}

func formatTime(k kind, micros int64) string {
	t := time.UnixMicro(micros).UTC()
	layout := timestampLayout
	switch k {
	case kindDate:
		return t.Format(dateLayout)
	case kindTime:
		layout = timeLayout
	}
	s := t.Format(layout)
	if t.Nanosecond() != 0 {
		s += strings.TrimRight(t.Format(".000000"), "0")
	}
	if k == kindTimestamptz {
		s += "+00"
	}
	return s
}
