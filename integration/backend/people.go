package backend

import (
	"slices"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/schema/demo"
)

// people is who there is in the demo.
type people []demo.Person

// named returns who is known by a name.
func (p people) named(name string) (demo.Person, error) {
	k := slices.IndexFunc(p, func(p demo.Person) bool { return p.Subject == name })
	if k < 0 {
		return demo.Person{}, invalid("there is no such person")
	}
	return p[k], nil
}

// subject is named, as relationships name people.
func (p people) subject(name string) (authz.ObjectRef, error) {
	who, err := p.named(name)
	return user(who.Subject), err
}
