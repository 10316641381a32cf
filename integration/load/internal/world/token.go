package world

import (
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Token signs a person's token, for as long as the run may last.
func Token(secret []byte, n int, life time.Duration) (string, error) {
	claims := jwt.MapClaims{"sub": Person(n), "exp": time.Now().Add(life + time.Hour).Unix()}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
}
