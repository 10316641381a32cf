package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
)

func TestCheckConfigReadsTheKeysOfTheGatekeeper(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	good := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	check := func(file string) result {
		return shapegate(t, map[string]string{"SHAPEGATE_GATEKEEPER_KEY_FILE": file}, "", "check-config", "--offline", "--shapes", "../../schema/shapes.yaml")
	}
	check(write(t, "good.pem", good)).expect(t, 0, "ok: 5 shapes", "")
	check(write(t, "twice.pem", good+good)).expect(t, 1, "", "SHAPEGATE_GATEKEEPER_KEY_FILE: read the gatekeeper's keys: invalid: key 2 is the same as key 1")
	check("none.pem").expect(t, 1, "", "SHAPEGATE_GATEKEEPER_KEY_FILE: ")
}
