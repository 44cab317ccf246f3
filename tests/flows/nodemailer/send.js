// Sends the mail on standard input; says what the server replied.
const fs = require("node:fs");
const nodemailer = require("nodemailer");

const [host, port, certificate, sender, recipient] = process.argv.slice(2);
const tls = certificate ? { requireTLS: true, tls: { ca: fs.readFileSync(certificate) } } : { ignoreTLS: true };

nodemailer
  .createTransport({ host, port: Number(port), name: "client.example.org", ...tls })
  .sendMail({ envelope: { from: sender, to: [recipient] }, raw: fs.readFileSync(0) })
  .then((info) => console.log(info.response))
  .catch((error) => {
    console.error(error.response || error);
    process.exit(1);
  });
