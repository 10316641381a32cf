package readers

import (
	"fmt"

	"github.com/spf13/pflag"
)

// flagsOf are a measurement's flags, with the values of args.
func flagsOf(m measurement, args ...string) (*pflag.FlagSet, error) {
	name, _ := m.use()
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	m.bind(flags)
	return flags, flags.Parse(args)
}

// forward gives a measurement those of the flags that were set and that it has,
// unless its own args have set them.
func forward(from, to *pflag.FlagSet) (err error) {
	from.Visit(func(f *pflag.Flag) {
		own := to.Lookup(f.Name)
		if own == nil || own.Changed || err != nil {
			return
		}
		if err = copyValue(own, f); err != nil {
			err = fmt.Errorf("%s: --%s: %w", to.Name(), f.Name, err)
		}
	})
	return err
}

func copyValue(to, from *pflag.Flag) error {
	values, ok := from.Value.(pflag.SliceValue)
	if !ok {
		return to.Value.Set(from.Value.String())
	}
	return to.Value.(pflag.SliceValue).Replace(values.GetSlice())
}
